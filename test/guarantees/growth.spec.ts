import type { ChildProcess } from 'node:child_process';
import { tellFigures } from '../helpers/figures.js';
import { Fleet } from '../helpers/fleet.js';
import { checkOrder, readTrace } from '../helpers/order-check.js';
import { seed as newSeed, seededRandom } from '../helpers/random.js';
import { startRedis } from '../helpers/redis.js';
import { sendInRounds } from '../helpers/rounds.js';
import { TcpProxy } from '../helpers/tcp-proxy.js';
import { connect, within } from '../helpers/workload.js';

/** Long: RIVULET_GROUPS=10000. */
const GROUPS = Number(process.env['RIVULET_GROUPS'] ?? 400);
const EACH = 6;
const PATIENCE_MS = 60_000;
const PROGRAM = new URL('./programs/ordered.mjs', import.meta.url);
const TIMING = { leaseMs: 3_000, renewMs: 400, selfStopMs: 1_500, rebalanceDelayMs: 500 };

it('keeps the order of every message group while its topic grows from 4 to 8 to 16 queues', async () => {
  const seed = newSeed();
  const random = seededRandom(seed);
  const redis = await startRedis();
  const traceRedis = await startRedis();
  const proxy = await TcpProxy.inFrontOf(redis.port);
  const facts = { namespace: 'growth', topic: 'orders', group: 'billing' };
  const job = { ...facts, concurrency: 16, handlerMs: 4, failing: 0.01, timing: TIMING };
  const args = [proxy.url, traceRedis.url, JSON.stringify(job)];
  const fleet = new Fleet({ program: PROGRAM, args });
  // The second one is told by the store that the queues it knows are of an older generation.
  const producers = [connect(redis.url, facts.namespace), connect(redis.url, facts.namespace)];
  const operator = connect(redis.url, facts.namespace);
  await Promise.all([...producers, operator].map((each) => each.open()));
  await operator.stores.topics.declare('orders', { queues: 4 });
  const excused = new Set<string>();
  let living: ChildProcess[] = await Promise.all([fleet.launch(), fleet.launch(), fleet.launch()]);
  const killOne = async (): Promise<void> => {
    const dying = living[Math.floor(random() * living.length)]!;
    living = living.filter((child) => child !== dying);
    excused.add(String(dying.pid));
    dying.kill('SIGKILL');
    living.push(await fleet.launch());
  };
  const grow = async (queues: number): Promise<void> => {
    await operator.stores.topics.alter('orders', { queues });
  };
  const happenings: (() => Promise<void>)[] = [
    () => grow(8),
    killOne,
    async () => proxy.cutNow(),
    () => grow(16),
    async () => proxy.cutNow(),
    killOne,
  ];

  const sending = sendInRounds({ producers, fleet, groups: GROUPS, rounds: EACH });
  const step = Math.floor((GROUPS * EACH) / (happenings.length + 2));
  for (const [i, happen] of happenings.entries()) {
    await within(PATIENCE_MS, `happening ${i}`, fleet.whenHandled(step * (i + 1)));
    await happen();
  }
  const sent = await sending;
  await within(PATIENCE_MS, 'the rest', fleet.whenHandled(GROUPS * EACH));
  await within(PATIENCE_MS, 'a clean stop', fleet.stop());
  const extents = await Promise.all(
    Array.from({ length: 16 }, (_, queue) =>
      operator.stores.log.extent({ topic: 'orders', queue }),
    ),
  );
  const stored = extents.reduce((sum, { length }) => sum + length, 0);
  const report = checkOrder(await readTrace(traceRedis.url), excused);
  const inNew = extents.slice(4).reduce((sum, { length }) => sum + length, 0);
  tellFigures('growth', {
    ...{ seed, groups: GROUPS, sent, stored, inNew, handled: report.done },
    ...{ lost: sent - report.done, again: report.again, reordered: report.violations.length },
  });
  await Promise.all([...producers, operator].map((each) => each.stop()));
  await proxy.close();
  await Promise.all([redis.stop(), traceRedis.stop()]);
  expect(report.violations.slice(0, 10)).toEqual([]);
  expect(report.done).toBe(sent);
  expect(stored).toBe(sent);
  expect(inNew).toBeGreaterThan(0);
});
