import { readFileSync } from 'node:fs';
import { Redis } from 'ioredis';
import { encodeFrame } from '../../lib/core/message/wire-format.js';
import { MessageAdmin } from '../../lib/inspect/message-admin.js';
import { Keys } from '../../lib/redis/keys.js';
import { tellFigures } from '../helpers/figures.js';
import { Fleet } from '../helpers/fleet.js';
import { startRedis } from '../helpers/redis.js';
import { connect, within } from '../helpers/workload.js';

const PROGRAM = new URL('./programs/member.mjs', import.meta.url);
/** Long: RIVULET_BOMBS=250, a gigabyte. */
const LARGE = Number(process.env['RIVULET_BOMBS'] ?? 40);
const BYTES = 4_000_000;
const HEAP_MB = 256;
const MOST_RSS_MB = 512;

it('a process with a small heap takes what is large, deep or has fields without end, and does not grow over it', async () => {
  const redis = await startRedis();
  const operator = new Redis(redis.url);
  const settings = { topics: { queues: 2 }, producer: { maxMessageBytes: 2 * BYTES } };
  const sending = connect(redis.url, 'bombs', settings);
  await sending.open();
  const keys = Array.from({ length: LARGE }, (_, i) => `large${i}`);
  for (const key of keys)
    await sending.producer.send('orders', { text: 'x'.repeat(BYTES) }, { key });
  const { log } = new Keys({ namespace: 'bombs' }).queue({ topic: 'orders', queue: 1 });
  const deep = '['.repeat(10_000) + ']'.repeat(10_000);
  const frame = encodeFrame(
    { key: 'deep' },
    deep,
    (target, at) => void target.fill(7, at, at + 16),
  );
  await operator.xadd(log, '*', 'rv', frame);
  const fields = Array.from({ length: 200_000 }, (_, i) => `f${i}`);
  await operator.call('xadd', [log, '*', ...fields]);
  await sending.producer.send('orders', {}, { key: 'last', queue: 1 });

  const consumes = { group: 'billing', concurrency: 1_000, handlerMs: 5, maxAttempts: 2 };
  const fleet = new Fleet({
    program: PROGRAM,
    args: [redis.url, JSON.stringify({ namespace: 'bombs', settings, consumes })],
    env: { NODE_OPTIONS: `--max-old-space-size=${HEAP_MB}` },
  });
  const child = await fleet.launch();
  await within(60_000, 'all messages', fleet.whenHandled(LARGE + 2));
  while (fleet.deadLettered.length < 1) await fleet.change();
  const mostRssMb = mostRss(child.pid!);
  await fleet.stop();
  const admin = new MessageAdmin({ rivulet: sending });
  const { total } = await admin.describeGroup('orders', 'billing');
  await sending.stop(2_000);
  operator.disconnect();
  await redis.stop();
  tellFigures('payload-bombs', {
    ...{ sent: LARGE + 2, bytes: BYTES, heapMb: HEAP_MB, mostRssMb },
    deadLetters: total.deadLetters,
  });
  expect([...fleet.handled.keys()].toSorted()).toEqual([...keys, 'deep', 'last'].toSorted());
  expect(fleet.deadLettered).toHaveLength(1);
  expect(total).toMatchObject({ lag: 0, deadLetters: 1 });
  expect(mostRssMb).toBeLessThan(MOST_RSS_MB);
});

/** In MB; 0 where the system does not tell. */
function mostRss(pid: number): number {
  if (process.platform !== 'linux') return 0;
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Math.round(Number(/VmHWM:\s+(\d+)/.exec(status)?.[1]) / 1e3);
}
