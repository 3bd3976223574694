import type { ChildProcess } from 'node:child_process';
import { setTimeout as pass } from 'node:timers/promises';
import { tellFigures } from '../helpers/figures.js';
import { Fleet } from '../helpers/fleet.js';
import { checkOrder, readTrace } from '../helpers/order-check.js';
import { seed as newSeed, seededRandom } from '../helpers/random.js';
import { startRedis } from '../helpers/redis.js';
import { TcpProxy } from '../helpers/tcp-proxy.js';
import { connect, within } from '../helpers/workload.js';

/** Long: RIVULET_GROUPS=10000 RIVULET_LAPS=5. */
const GROUPS = Number(process.env['RIVULET_GROUPS'] ?? 1_000);
const LAPS = Number(process.env['RIVULET_LAPS'] ?? 1);
const EACH = 4;
const PATIENCE_MS = 60_000 * LAPS;
const PROGRAM = new URL('./programs/ordered.mjs', import.meta.url);
/** A process that gets no CPU for less than a second must not be taken for a frozen one. */
const TIMING = { leaseMs: 3_000, renewMs: 400, selfStopMs: 1_500, rebalanceDelayMs: 500 };

it(
  'keeps the order of every message group, whatever happens to those who handle them',
  async () => {
    const seed = newSeed();
    const random = seededRandom(seed);
    const redis = await startRedis();
    const traceRedis = await startRedis();
    const proxy = await TcpProxy.inFrontOf(redis.port);
    const facts = { namespace: 'order', topic: 'orders', group: 'billing' };
    const job = { ...facts, concurrency: 16, handlerMs: 4, failing: 0.01, timing: TIMING };
    const args = [proxy.url, traceRedis.url, JSON.stringify(job)];
    const fleet = new Fleet({ program: PROGRAM, args });
    const producing = connect(redis.url, facts.namespace);
    await producing.open();
    const excused = new Set<string>();
    const excuse = (child: ChildProcess): void => void excused.add(String(child.pid));
    let living: ChildProcess[] = await Promise.all([
      fleet.launch(),
      fleet.launch(),
      fleet.launch(),
    ]);
    const one = (): ChildProcess => {
      const chosen = living[Math.floor(random() * living.length)]!;
      living = living.filter((child) => child !== chosen);
      return chosen;
    };
    const happenings: (() => Promise<void>)[] = [
      async () => {
        const dying = one();
        excuse(dying);
        dying.kill('SIGKILL');
        living.push(await fleet.launch());
      },
      async () => {
        const frozen = one();
        excuse(frozen);
        frozen.kill('SIGSTOP');
        await pass(TIMING.leaseMs + 500);
        frozen.kill('SIGCONT');
        living.push(frozen);
      },
      async () => proxy.cutNow(),
      async () => void living.push(await fleet.launch()),
      async () => {
        const leaving = one();
        leaving.kill('SIGTERM');
      },
      async () => proxy.cutNow(),
    ];

    const keys: string[] = [];
    const from = performance.now();
    for (let lap = 0; lap < LAPS; lap++) {
      const publishing = publish(producing, lap, keys);
      const before = lap * GROUPS * EACH;
      const step = Math.floor((GROUPS * EACH) / (happenings.length + 2));
      for (const [i, happen] of happenings.entries()) {
        await within(PATIENCE_MS, `happening ${i}`, fleet.whenHandled(before + step * (i + 1)));
        await happen();
      }
      await publishing;
      await within(PATIENCE_MS, 'the rest', fleet.whenHandled(before + GROUPS * EACH));
    }
    await within(PATIENCE_MS, 'a clean stop', fleet.stop());
    const perSecond = keys.length / ((performance.now() - from) / 1_000);

    const trace = await readTrace(traceRedis.url);
    const report = checkOrder(trace, excused);
    tellFigures('order', {
      ...{ seed, groups: GROUPS, sent: keys.length, perSecond: Math.round(perSecond) },
      ...{ handled: report.done, lost: keys.length - report.done, again: report.again },
      ...{ reordered: report.violations.length, besideZombies: report.besideZombies },
      zombieEnds: report.zombieEnds,
    });
    await producing.stop();
    await proxy.close();
    await Promise.all([redis.stop(), traceRedis.stop()]);
    expect(report.violations.slice(0, 10)).toEqual([]);
    expect(report.done).toBe(keys.length);
  },
  240_000 * LAPS,
);

/** Each group's messages in order, all groups side by side. */
async function publish(
  producing: ReturnType<typeof connect>,
  lap: number,
  keys: string[],
): Promise<void> {
  for (let n = 1; n <= EACH; n++) {
    const sends = Array.from({ length: GROUPS }, (_, group) => {
      const key = `g${group}:${lap * EACH + n}`;
      keys.push(key);
      return producing.producer.send('orders', {}, { key, messageGroup: `g${group}` });
    });
    await Promise.all(sends);
  }
}
