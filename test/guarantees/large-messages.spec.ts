import { tellFigures } from '../helpers/figures.js';
import { startRedis, type TestRedis } from '../helpers/redis.js';
import { connect, Handled, IMPATIENT, within } from '../helpers/workload.js';

const MESSAGES = Number(process.env['RIVULET_LARGE'] ?? 60);
const BYTES = 1_000_000;
const IN_HAND = 8;

let redis: TestRedis;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());

it('has no more large messages in hand than its bytes allow, however many slots there are', async () => {
  const settings = {
    ...IMPATIENT,
    consumer: { ...IMPATIENT.consumer, maxInHandBytes: IN_HAND * BYTES + 1_000 * IN_HAND },
  };
  const sending = connect(redis.url, 'large');
  const keys = Array.from({ length: MESSAGES }, (_, i) => `m${i}`);
  // One small message tells the consumer nothing of what comes.
  await sending.producer.send('orders', 'small', { key: 'small', queue: 0 });
  for (const key of keys) await sending.producer.send('orders', Buffer.alloc(BYTES), { key });

  const consuming = connect(redis.url, 'large', settings);
  const handled = new Handled();
  let inHand = 0;
  const most: number[] = [];
  const mostBuffers = { bytes: 0 };
  consuming.subscribe({
    topic: 'orders',
    group: 'billing',
    origin: 'billing',
    concurrency: 1_000,
    retry: { maxAttempts: 3, backoff: { fromMs: 1, jitter: 0 } },
    handler: async (delivery) => {
      inHand += delivery.message.key === 'small' ? 0 : 1;
      most.push(inHand);
      mostBuffers.bytes = Math.max(mostBuffers.bytes, process.memoryUsage().arrayBuffers);
      await new Promise((resolve) => setImmediate(resolve));
      inHand -= delivery.message.key === 'small' ? 0 : 1;
      // Each comes a second time, by way of its retry.
      if (delivery.attempt === 1) throw new Error('again');
      handled.note(delivery);
    },
  });
  await consuming.consume();
  await within(120_000, 'all messages', handled.all([...keys, 'small']));
  const later = most.slice(64);
  tellFigures('large-messages', {
    ...{ sent: MESSAGES, bytes: BYTES, mostInHandAtFirst: Math.max(...most.slice(0, 64)) },
    ...{ mostLater: Math.max(...later), mostBuffersMb: Math.round(mostBuffers.bytes / 1e6) },
  });
  expect(later.length).toBeGreaterThan(MESSAGES / 2);
  expect(Math.max(...later)).toBeLessThanOrEqual(IN_HAND);
  await Promise.all([sending, consuming].map((one) => one.stop(2_000)));
});
