import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { tellFigures } from '../helpers/figures.js';
import { startRedis, type TestRedis } from '../helpers/redis.js';
import { connect, Handled, IMPATIENT, within } from '../helpers/workload.js';

const QUEUES = 4;
const QUEUE_NUMBERS = Array.from({ length: QUEUES }, (_, queue) => queue);
const GROUPS = Number(process.env['RIVULET_LARGE'] ?? 80);
const BYTES = 1_000_000;
const MOST_BYTES = 10 * BYTES;
const FIRST_READ = 16;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;
/** Bytes of bodies that somebody still refers to. */
const bodiesInMemory = (): number => {
  // What one finds dead is let go by another thread, sooner or later; the second one waits for that.
  collect();
  collect();
  return process.memoryUsage().arrayBuffers;
};

let redis: TestRedis;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());

it('has no more large messages in memory than its bytes allow, and none of those that fail is in the way', async () => {
  const sending = connect(redis.url, 'large', { ...IMPATIENT, topics: { queues: QUEUES } });
  const groups = Array.from({ length: GROUPS }, (_, i) => `g${i}`);
  const body = Buffer.alloc(BYTES);
  for (const n of [0, 1])
    for (const messageGroup of groups)
      await sending.producer.send('orders', body, { messageGroup, key: `${messageGroup}-${n}` });
  for (const queue of QUEUE_NUMBERS)
    await sending.producer.send('orders', body, { key: `healthy${queue}`, queue });
  const before = bodiesInMemory();

  const consuming = connect(redis.url, 'large', {
    ...IMPATIENT,
    consumer: { ...IMPATIENT.consumer, maxInHandBytes: MOST_BYTES },
  });
  const handled = new Handled();
  const order = new Map<string, string[]>();
  const failed = new Handled();
  let most = 0;
  let isDown = true;
  consuming.subscribe({
    topic: 'orders',
    group: 'billing',
    origin: 'billing',
    ordered: true,
    concurrency: 5,
    retry: { maxAttempts: 1_000, backoff: { fromMs: 3_000, toMs: 3_000, jitter: 0 } },
    handler: (delivery) => {
      const { messageGroup, key } = delivery.message;
      if (isDown && messageGroup !== undefined) {
        failed.note(delivery);
        if (failed.times.size % 20 === 0) most = Math.max(most, bodiesInMemory() - before);
        throw new Error('down');
      }
      if (messageGroup !== undefined)
        order.set(messageGroup, [...(order.get(messageGroup) ?? []), key!]);
      handled.note(delivery);
    },
  });
  await consuming.consume();
  // They stand behind all others: these have failed by then, and wait.
  const healthy = QUEUE_NUMBERS.map((queue) => `healthy${queue}`);
  await within(90_000, 'what is healthy', handled.all(healthy));
  const everyFirst = groups.map((group) => `${group}-0`);
  await within(60_000, 'each first one, once', failed.all(everyFirst));
  const waiting = bodiesInMemory() - before;
  isDown = false;
  const all = groups.map((group) => [`${group}-0`, `${group}-1`]);
  await within(80_000, 'all messages', handled.all(all.flat()));
  tellFigures('large-ordered', {
    ...{ queues: QUEUES, groups: GROUPS, bytes: BYTES, mostBytes: MOST_BYTES },
    ...{ mostMb: Math.round(most / 1e6), waitingMb: Math.round(waiting / 1e6) },
  });
  expect(groups.map((group) => order.get(group))).toEqual(all);
  // The first read knows no sizes; what a connection receives is there a second and a third time until it is taken apart.
  expect(Math.max(most, waiting)).toBeLessThan(MOST_BYTES + 3 * FIRST_READ * BYTES);
  await Promise.all([sending, consuming].map((one) => one.stop(2_000)));
});
