import { StoreUnavailableError } from '../../lib/core/message/errors.js';
import type { Logger } from '../../lib/core/runtime/logger.js';
import type { StoreProblem } from '../../lib/core/runtime/store-health.js';
import { Keys } from '../../lib/redis/keys.js';
import { RedisStores } from '../../lib/redis/redis-stores.js';
import {
  clusterConnection,
  clusterOperator,
  startCluster,
  type TestCluster,
} from '../helpers/cluster.js';
import { slotOf } from '../helpers/slots.js';
import { whenStored, within } from '../helpers/workload.js';
import { newNamespace } from '../redis/helpers/open-stores.js';

const PRIMARIES = 3;
const SEEN_WITHIN_MS = 60_000;
/** The second of three primaries has the slots of the middle. */
const isMissing = (slot: number): boolean => 5461 <= slot && slot <= 10_922;

describe('a cluster whose node dies, and nobody follows it', () => {
  let cluster: TestCluster;
  let stores: RedisStores;
  const ours = newNamespace();
  const lines: string[] = [];
  const note = (line: string): void => void lines.push(line);
  const logger: Logger = { log: note, warn: note, error: note, debug: note };
  const startElsewhere = (namespace: string): RedisStores =>
    new RedisStores({ connection: clusterConnection(cluster.url), namespace });

  beforeAll(async () => {
    cluster = await startCluster({ primaries: PRIMARIES, replicas: 0 });
    const connection = clusterConnection(cluster.url);
    stores = new RedisStores({ connection, namespace: ours, logger });
    await stores.open(30_000);
  });
  afterAll(async () => {
    await stores.close();
    await cluster.stop();
  });

  const problems = async (): Promise<readonly StoreProblem[]> =>
    stores.health().then(
      (health) => health.problems,
      () => [],
    );
  const whenHealth = (
    what: string,
    isSo: (found: readonly StoreProblem[]) => boolean,
  ): Promise<void> =>
    within(
      SEEN_WITHIN_MS,
      what,
      whenStored(async () => isSo(await problems())),
    );
  /** Nodes of a busy machine may take others for dead for a moment, and say more. */
  const whenError = (code: string, text: RegExp): Promise<void> =>
    whenHealth(code, (found) =>
      found.some((one) => one.level === 'error' && one.code === code && text.test(one.text)),
    );
  /** Starts until it is told that. A machine that is busy may have no time for more than to connect. */
  async function refusedStart(namespace: string, text: RegExp): Promise<void> {
    const refused = async (): Promise<boolean> => {
      const other = startElsewhere(namespace);
      const error: unknown = await other.open(3_000).then(
        () => undefined,
        (reason: unknown) => reason,
      );
      await other.close();
      return error instanceof Error && text.test(error.message);
    };
    await within(SEEN_WITHIN_MS, String(text), whenStored(refused));
  }
  const whenSaid = (text: RegExp): Promise<void> =>
    within(
      SEEN_WITHIN_MS,
      String(text),
      whenStored(async () => lines.some((line) => text.test(line))),
    );

  it('refuses who has the address of one node alone, without waiting for anything', async () => {
    const names = Array.from({ length: 100 }, () => newNamespace());
    const namespace = names.find((name) => slotOf(new Keys({ namespace: name }).topics) > 5461)!;
    const connection = `redis://127.0.0.1:${cluster.nodes[0]!.port}`;
    const alone = new RedisStores({ connection, namespace, logger });
    await expect(alone.open(10_000)).rejects.toThrow('MOVED');
    expect(lines.filter((line) => line.includes('Start Redis there'))).toEqual([]);
    await alone.close();
  });

  it('says which node it lost, and how many slots nobody serves; who has nothing there starts', async () => {
    const { port } = cluster.nodes[1]!;
    await cluster.nodes[1]!.kill('SIGKILL');
    await whenSaid(new RegExp(`Lost node 127\\.0\\.0\\.1:${port} of the cluster`));
    await whenError(
      'SLOTS_MISSING',
      /^the Redis Cluster at .*: 5462 of its 16384 slots have no node/,
    );
    await whenError('NODE_SILENT', new RegExp(`^127\\.0\\.0\\.1:${port} of the Redis Cluster at `));
    await whenHealth(
      'the others are judged as before',
      (found) => found.filter(({ code }) => code === 'NO_PERSISTENCE').length === 2,
    );

    const names = Array.from({ length: 100 }, () => newNamespace());
    const isThere = (namespace: string): boolean =>
      isMissing(slotOf(new Keys({ namespace }).topics));
    await refusedStart(names.find(isThere)!, /5462 of its 16384 slots have no node/);
    const elsewhere = startElsewhere(names.find((name) => !isThere(name))!);
    await expect(elsewhere.open(30_000)).resolves.toBeUndefined();
    await elsewhere.close();
  });

  it('tells what waits in the queues that have a node', async () => {
    const keys = new Keys({ namespace: ours });
    const refs = Array.from({ length: 30 }, (_, queue) => ({ topic: 'orders', queue, group: 'g' }));
    const isGone = (ref: (typeof refs)[0]): boolean => isMissing(slotOf(keys.queue(ref).log));
    const gone = refs.filter(isGone);
    const [empty, full] = refs.filter((ref) => !isGone(ref));
    const operator = clusterOperator(cluster.url);
    await operator.zadd(keys.groupQueue(full!).retry, 0, '1-0');
    operator.disconnect();
    const { deliveries } = stores;
    const told = [null, null, 0, null];
    expect(await deliveries.dueIn([gone[0]!, empty!, full!, gone[1]!])).toEqual(told);
    await expect(deliveries.dueIn(gone)).rejects.toBeInstanceOf(StoreUnavailableError);
  });

  it('says when the node is back', async () => {
    const { port } = cluster.nodes[1]!;
    await cluster.nodes[1]!.restart();
    await whenHealth(
      'no error',
      (found) => found.length > 0 && found.every(({ level }) => level === 'warning'),
    );
    const again = new RegExp(`Connected to node 127\\.0\\.0\\.1:${port} of the cluster again`);
    await expect(whenSaid(again)).resolves.toBeUndefined();
  });

  it('says that all is refused once most are dead, to who starts, too', async () => {
    await cluster.nodes[1]!.kill('SIGKILL');
    await cluster.nodes[2]!.kill('SIGKILL');
    await whenError('CLUSTER_DOWN', /all is refused, as 10923 of its 16384 slots have no node/);
    const refused = /all is refused, as 10923 of its 16384 slots have no node/;
    await expect(refusedStart(newNamespace(), refused)).resolves.toBeUndefined();
  });

  it('is not well when no node is left', async () => {
    await cluster.nodes[0]!.kill('SIGKILL');
    // It is noticed of a node when something is asked of it.
    const isLost = async (): Promise<boolean> =>
      (await problems()).length === 0 && !stores.availability.ready;
    await within(SEEN_WITHIN_MS, 'the loss', whenStored(isLost));
    // While it tries to connect again it has nodes that do not answer, else none.
    await expect(stores.health()).rejects.toBeInstanceOf(StoreUnavailableError);
  });
});
