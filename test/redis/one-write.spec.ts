import type { Cluster, Redis } from 'ioredis';
import { OneWrite } from '../../lib/redis/one-write.js';

describe('one write', () => {
  const steps: string[] = [];
  const client = (name: string): Redis =>
    ({
      stream: { cork: () => steps.push(`hold ${name}`), uncork: () => steps.push(`send ${name}`) },
    }) as unknown as Redis;
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

  beforeEach(() => steps.splice(0));

  it('holds what is asked within a turn until the turn ends, promises included', async () => {
    const redis = client('a');
    const oneWrite = new OneWrite();
    const ask = (what: string): void => {
      oneWrite.through(redis);
      steps.push(what);
    };
    ask('one');
    void Promise.resolve().then(() => ask('two'));
    await turn();
    ask('three');
    await turn();
    expect(steps).toEqual(['hold a', 'one', 'two', 'send a', 'hold a', 'three', 'send a']);
  });

  it('sends what it holds when told to, and holds what follows', async () => {
    const oneWrite = new OneWrite();
    oneWrite.flush();
    oneWrite.through(client('a'));
    steps.push('one');
    oneWrite.flush();
    steps.push('two');
    await turn();
    expect(steps).toEqual(['hold a', 'one', 'send a', 'hold a', 'two', 'send a']);
  });

  it('lets go of a client that was replaced within the turn', async () => {
    const oneWrite = new OneWrite();
    oneWrite.through(client('a'));
    oneWrite.through(client('b'));
    await turn();
    expect(steps).toEqual(['hold a', 'hold b', 'send a', 'send b']);
  });

  it('holds what goes to each primary of a cluster until the turn ends', async () => {
    const nodes = [client('a'), {}, client('b')];
    const cluster = { isCluster: true, nodes: () => nodes } as unknown as Cluster;
    const oneWrite = new OneWrite();
    oneWrite.through(cluster);
    oneWrite.through(cluster);
    steps.push('asked');
    await turn();
    expect(steps).toEqual(['hold a', 'hold b', 'asked', 'send a', 'send b']);
  });

  it('sends what it holds for each primary of a cluster when told to', async () => {
    const nodes = [client('a'), client('b')];
    const cluster = { isCluster: true, nodes: () => nodes } as unknown as Cluster;
    const oneWrite = new OneWrite();
    oneWrite.through(cluster);
    oneWrite.flush();
    steps.push('told');
    await turn();
    oneWrite.flush();
    const told = ['send a', 'hold a', 'send b', 'hold b', 'told'];
    expect(steps).toEqual(['hold a', 'hold b', ...told, 'send a', 'send b']);
  });

  it('does not mind a client without a connection', () => {
    const redis = {} as Redis;
    expect(new OneWrite().through(redis)).toBe(redis);
  });
});
