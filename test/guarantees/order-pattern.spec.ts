import type { ChildProcess } from 'node:child_process';
import { setTimeout as pass } from 'node:timers/promises';
import { tellFigures } from '../helpers/figures.js';
import { Fleet } from '../helpers/fleet.js';
import { checkOrder, readTrace } from '../helpers/order-check.js';
import { useOperatedRedis } from '../helpers/operated-redis.js';
import { startRedis } from '../helpers/redis.js';
import { within } from '../helpers/workload.js';

/** Long: RIVULET_GROUPS=1000. Of each topic. */
const GROUPS = Number(process.env['RIVULET_GROUPS'] ?? 40);
const EACH = 4;
const PATIENCE_MS = 60_000;
const PROGRAM = new URL('./programs/ordered.mjs', import.meta.url);
/** A process that gets no CPU for less than a second must not be taken for a frozen one. */
const TIMING = { leaseMs: 3_000, renewMs: 400, selfStopMs: 1_500, rebalanceDelayMs: 500 };

const server = useOperatedRedis();

it('keeps the order of every message group in each topic of a pattern, also of one that is made meanwhile, whoever is killed or frozen', async () => {
  const traceRedis = await startRedis();
  const facts = { namespace: 'order-pattern', topic: 'orders.*', group: 'billing' };
  const job = { ...facts, concurrency: 16, handlerMs: 4, failing: 0.01, timing: TIMING };
  const args = [server.url, traceRedis.url, JSON.stringify(job)];
  const fleet = new Fleet({ program: PROGRAM, args });
  const producing = server.connect(facts.namespace);
  await producing.open();
  let sent = 0;
  /** Each group's messages in order, all groups side by side. */
  const publish = async (country: string): Promise<void> => {
    for (let n = 1; n <= EACH; n++) {
      const sends = Array.from({ length: GROUPS }, (_, group) => {
        const messageGroup = `${country}-g${group}`;
        const options = { key: `${messageGroup}:${n}`, messageGroup };
        return producing.producer.send(`orders.${country}`, {}, options);
      });
      await Promise.all(sends);
      sent += GROUPS;
    }
  };
  const excused = new Set<string>();
  const excuse = (child: ChildProcess): ChildProcess => {
    excused.add(String(child.pid));
    return child;
  };
  const handled = (topics: number): Promise<void> =>
    within(PATIENCE_MS, `${topics} topics`, fleet.whenHandled(GROUPS * EACH * topics));

  const publishing = [publish('de'), publish('fr')];
  const [dying, freezing] = await Promise.all([fleet.launch(), fleet.launch()]);
  await handled(0.5);
  excuse(dying!).kill('SIGKILL');
  await fleet.launch();
  await handled(1);
  excuse(freezing!).kill('SIGSTOP');
  publishing.push(publish('it'));
  await pass(TIMING.leaseMs + 500);
  freezing!.kill('SIGCONT');
  await Promise.all(publishing);
  await handled(3);
  await within(PATIENCE_MS, 'a clean stop', fleet.stop());

  const report = checkOrder(await readTrace(traceRedis.url), excused);
  tellFigures('order-pattern', {
    ...{ topics: 3, groups: GROUPS, sent, handled: report.done, lost: sent - report.done },
    ...{ again: report.again, reordered: report.violations.length },
    ...{ besideZombies: report.besideZombies, zombieEnds: report.zombieEnds },
  });
  await traceRedis.stop();
  expect(report.violations).toEqual([]);
  expect(report.done).toBe(sent);
});
