import { tellFigures } from '../helpers/figures.js';
import { seed as newSeed, seededRandom } from '../helpers/random.js';
import { startRedis, type TestRedis } from '../helpers/redis.js';
import { TcpProxy } from '../helpers/tcp-proxy.js';
import { connect, Handled, publishMany, within } from '../helpers/workload.js';

const MESSAGES = Number(process.env['RIVULET_MESSAGES'] ?? 800);

let redis: TestRedis;
let proxy: TcpProxy;
beforeAll(async () => {
  redis = await startRedis();
  proxy = await TcpProxy.inFrontOf(redis.port);
});
afterAll(async () => {
  await proxy.close();
  await redis.stop();
});

it('handles each message once, with true attempt numbers, while the connections of its consumer are cut', async () => {
  const seed = newSeed();
  const random = seededRandom(seed);
  const producing = connect(redis.url, 'cut');
  const consuming = connect(proxy.url, 'cut');
  const handled = new Handled();
  const attempts: string[] = [];
  const failing = new Set<string>();
  consuming.subscribe({
    topic: 'orders',
    group: 'billing',
    origin: 'billing',
    concurrency: 16,
    retry: { backoff: () => 50 },
    handler: async (delivery) => {
      const { key } = delivery.message;
      await new Promise((resolve) => setTimeout(resolve, random() * 10));
      const isFirst = !failing.has(key!);
      // Some fail once: then, and only then, a second attempt is due.
      if (isFirst && Number(key!.slice(1)) % 10 === 0) {
        failing.add(key!);
        if (delivery.attempt !== 1) attempts.push(`${key} failed at ${delivery.attempt}`);
        throw new Error('once');
      }
      const wanted = failing.has(key!) ? 2 : 1;
      if (delivery.attempt !== wanted)
        attempts.push(`${key} at ${delivery.attempt} instead of ${wanted}`);
      handled.note(delivery);
    },
  });
  await consuming.consume();
  // A handful of messages fit into a reply of this size: most cuts swallow deliveries.
  proxy.cutConnections(() =>
    random() < 0.4
      ? { direction: 'request', cutAfterBytes: Math.floor(300 + random() * 12_000) }
      : { direction: 'reply', cutAfterBytes: Math.floor(4_000 + random() * 9_000) },
  );
  proxy.cutNow();
  const now = await publishMany(producing, Math.floor(MESSAGES * 0.8));
  const later = await publishMany(producing, MESSAGES - now.length, {
    prefix: 'd',
    delayMs: 1_000,
  });
  const keys = [...now, ...later];
  const half = keys.slice(0, Math.floor(MESSAGES / 2));
  // With bad luck a connection is cut before it is ready, many times in a row: then it is healed all the same.
  await within(60_000, 'half of the messages under fire', handled.all(half)).catch(() => {});
  const cuts = proxy.cuts;
  proxy.heal();
  await within(60_000, 'the rest', handled.all(keys)).catch(() => {});
  const lag = await consuming.stores.deliveries.lag({
    topic: 'orders',
    queue: 0,
    group: 'billing',
  });
  tellFigures('cut-consumer', {
    ...{ seed, sent: MESSAGES, handled: handled.times.size, lost: handled.missing(keys).length },
    ...{ again: handled.repeated, wrongAttempts: attempts.length, failedOnce: failing.size, cuts },
    inFlightLeft: lag.inFlight,
  });
  expect(keys).toHaveLength(MESSAGES);
  expect(handled.missing(keys)).toEqual([]);
  expect(attempts).toEqual([]);
  expect(handled.repeated).toBe(0);
  expect(cuts).toBeGreaterThan(10);
  await Promise.all([producing.stop(2_000), consuming.stop(2_000)]);
});
