import { Redis } from 'ioredis';
import { Fleet } from '../helpers/fleet.js';
import { checkOrder, readTrace, type Trace } from '../helpers/order-check.js';
import { startRedis } from '../helpers/redis.js';
import { connect, within } from '../helpers/workload.js';

const PATIENCE_MS = 60_000;
const PROGRAM = new URL('./programs/ordered.mjs', import.meta.url);
const TIMING = { leaseMs: 1_500, renewMs: 200, selfStopMs: 1_000, rebalanceDelayMs: 300 };

it('an owner that is frozen in its handler for longer than its lease starts nothing more, and is told', async () => {
  const [redis, traceRedis] = await Promise.all([startRedis(), startRedis()]);
  const reader = new Redis(traceRedis.url);
  const facts = { namespace: 'frozen', topic: 'orders', group: 'billing' };
  const fleetOf = (leastMs: number): Fleet => {
    const job = { ...facts, concurrency: 4, leastMs, handlerMs: 0, failing: 0, timing: TIMING };
    return new Fleet({ program: PROGRAM, args: [redis.url, traceRedis.url, JSON.stringify(job)] });
  };
  const producing = connect(redis.url, facts.namespace);
  await producing.open();
  await producing.stores.topics.declare('orders', { queues: 1 });
  const traced = async (wanted: (entry: Trace) => boolean): Promise<Trace> => {
    for (let after = '0-0'; ;) {
      const reply = await reader.xread('BLOCK', 0, 'STREAMS', 'trace', after);
      after = reply![0]![1].at(-1)![0];
      const found = (await readTrace(traceRedis.url)).find(wanted);
      if (found) return found;
    }
  };
  const isStart = (who: string, seq: number) => (entry: Trace) =>
    entry.kind === 'start' && entry.who === who && entry.seq === seq;
  const [slow, quick] = [fleetOf(3_000), fleetOf(100)];
  try {
    const frozen = await slow.launch();
    const frozenName = String(frozen.pid);
    for (const n of [1, 2, 3])
      await producing.producer.send('orders', {}, { key: `g:${n}`, messageGroup: 'g' });
    const first = await within(PATIENCE_MS, 'its start', traced(isStart(frozenName, 1)));
    frozen.kill('SIGSTOP');
    const next = await quick.launch();
    const nextName = String(next.pid);
    await within(PATIENCE_MS, 'its follower', traced(isStart(nextName, 2)));
    frozen.kill('SIGCONT');
    const isTold = (entry: Trace) => entry.kind === 'told' && entry.who === frozenName;
    const told = await within(PATIENCE_MS, 'the end of its handler', traced(isTold));
    await within(PATIENCE_MS, 'the rest', quick.whenHandled(3));
    const trace = await readTrace(traceRedis.url);
    const started = trace.filter(({ kind }) => kind === 'start');
    const by = (name: string) => started.filter(({ who }) => who === name);
    expect(by(frozenName).map(({ seq }) => seq)).toEqual([1]);
    expect(by(nextName).map(({ seq }) => seq)).toEqual([1, 2, 3]);
    expect(told).toMatchObject({ seq: 1, aborted: true });
    for (const { token } of by(nextName)) expect(token).toBeGreaterThan(first.token);
    expect(slow.handled.size).toBe(0);
    const { violations } = checkOrder(trace, new Set([frozenName]));
    expect(violations).toEqual([]);
    await Promise.all([slow.stop(), quick.stop()]);
  } finally {
    reader.disconnect();
    await producing.stop();
    await Promise.all([redis.stop(), traceRedis.stop()]);
  }
});
