import { EventEmitter, once } from 'node:events';
import { Rivulet } from '../../lib/core/rivulet.js';
import type { Logger } from '../../lib/core/runtime/logger.js';
import { RedisStores } from '../../lib/redis/redis-stores.js';
import { startRedis, type TestRedis } from '../helpers/redis.js';
import { IMPATIENT } from '../helpers/workload.js';

/** What an operator sees who shows no `debug`. */
class Read implements Logger {
  readonly lines: string[] = [];
  private readonly unseen = new EventEmitter();
  error = (line: string): void => void this.lines.push(`error: ${line}`);
  warn = (line: string): void => void this.lines.push(`warn: ${line}`);
  log = (line: string): void => void this.lines.push(`log: ${line}`);
  debug = (): void => void this.unseen.emit('line');

  /** Resolves after so many lines that nobody sees: failures that are tried again. */
  async hidden(count: number): Promise<void> {
    for (let seen = 0; seen < count; seen++) await once(this.unseen, 'line');
  }
}

describe('What is read of an outage of Redis', () => {
  let redis: TestRedis;
  let rivulet: Rivulet;
  let read: Read;

  beforeEach(async () => {
    // With `everysec` a server that is killed while its disk is busy forgets groups, which is told by further lines.
    redis = await startRedis({ persistence: 'aof-always' });
    read = new Read();
    const stores = new RedisStores({
      connection: redis.url,
      namespace: 'shop',
      blockMs: 500,
      logger: read,
    });
    rivulet = new Rivulet({ stores, settings: IMPATIENT, logger: read });
    const each = { origin: 'a test', handler: (): void => {} };
    rivulet.subscribe({ topic: 'orders', group: 'billing', ...each });
    rivulet.subscribe({ topic: 'orders', group: 'stock', ordered: true, ...each });
    rivulet.subscribe({ topic: 'orders', group: 'mail', idempotent: true, ...each });
    rivulet.subscribe({ topic: 'orders', group: 'wall', mode: 'broadcasting', ...each });
    rivulet.subscribe({ topic: 'orders.*', group: 'audit', ...each });
    rivulet.subscribe({
      topic: 'prices',
      group: 'prices',
      ...each,
      reply: true,
      handler: () => 12,
    });
    await rivulet.consume();
    await rivulet.requester.request('prices', 'mug');
  });
  afterEach(async () => {
    await rivulet.stop(2_000);
    await redis.stop();
  });

  const state = (wanted: string) =>
    rivulet.events.next('connection', ({ state }) => state === wanted);

  it('are two lines, whatever consumes', async () => {
    read.lines.splice(0);
    const [isLost, isBack] = [state('lost'), state('ready')];
    await redis.kill();
    await isLost;
    // What works in the background fails, several times.
    await read.hidden(30);
    await redis.restart();
    await isBack;
    await expect(rivulet.requester.request('prices', 'mug')).resolves.toBe(12);
    expect(read.lines).toEqual([
      expect.stringMatching(
        new RegExp(`^warn: redis://127\\.0\\.0\\.1:${redis.port} is away.* Sends wait for it`),
      ),
      expect.stringMatching(/^warn: redis:.* is back after \d.*; what failed meanwhile, /),
    ]);
  });

  it('are the same two when it is stopped and goes on', async () => {
    read.lines.splice(0);
    const [isLost, isBack] = [state('lost'), state('ready')];
    await redis.kill('SIGSTOP');
    await isLost;
    await redis.kill('SIGCONT');
    await isBack;
    await expect(rivulet.requester.request('prices', 'mug')).resolves.toBe(12);
    expect(read.lines.map((line) => /is (away|back after)/.exec(line)?.[0])).toEqual([
      'is away',
      'is back after',
    ]);
  });
});
