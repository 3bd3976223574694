import { randomBytes } from 'node:crypto';
import { setTimeout as pass } from 'node:timers/promises';
import { clusterConnection } from '../helpers/cluster.js';
import { tellFigures } from '../helpers/figures.js';
import { Fleet } from '../helpers/fleet.js';
import { checkOrder, readTrace } from '../helpers/order-check.js';
import { startRedis } from '../helpers/redis.js';
import { sharedServer, waitForServer } from '../helpers/servers.js';
import { connect, within } from '../helpers/workload.js';

/** Long: RIVULET_GROUPS=2000. */
const GROUPS = Number(process.env['RIVULET_GROUPS'] ?? 200);
const EACH = 4;
const PATIENCE_MS = 60_000;
const PROGRAM = new URL('../guarantees/programs/ordered.mjs', import.meta.url);
const TIMING = { leaseMs: 3_000, renewMs: 400, selfStopMs: 1_500, rebalanceDelayMs: 500 };

waitForServer('cluster');

it('the order of every message group is kept on several nodes, whoever is killed or frozen', async () => {
  const nodes = await sharedServer('cluster');
  const traceRedis = await startRedis();
  const namespace = `order-${randomBytes(4).toString('hex')}`;
  const facts = { namespace, topic: 'orders', group: 'billing' };
  const job = { ...facts, concurrency: 16, handlerMs: 4, failing: 0.01, timing: TIMING };
  const fleet = new Fleet({
    program: PROGRAM,
    args: [nodes, traceRedis.url, JSON.stringify(job)],
  });
  const producing = connect(clusterConnection(nodes), namespace);
  await producing.open();
  const [dying, freezing] = await Promise.all([fleet.launch(), fleet.launch()]);
  const sent: Promise<unknown>[] = [];
  for (let n = 1; n <= EACH; n++)
    for (let group = 0; group < GROUPS; group++) {
      const options = { key: `g${group}:${n}`, messageGroup: `g${group}` };
      sent.push(producing.producer.send('orders', {}, options));
    }
  await Promise.all(sent);
  await within(PATIENCE_MS, 'a quarter', fleet.whenHandled(GROUPS));
  dying!.kill('SIGKILL');
  await fleet.launch();
  await within(PATIENCE_MS, 'half', fleet.whenHandled(GROUPS * 2));
  freezing!.kill('SIGSTOP');
  await pass(TIMING.leaseMs + 500);
  freezing!.kill('SIGCONT');
  await within(PATIENCE_MS, 'the rest', fleet.whenHandled(GROUPS * EACH));
  await within(PATIENCE_MS, 'a clean stop', fleet.stop());
  const excused = new Set([dying, freezing].map((child) => String(child!.pid)));
  const report = checkOrder(await readTrace(traceRedis.url), excused);
  const { length: count } = sent;
  tellFigures('cluster-order', {
    ...{ groups: GROUPS, sent: count, handled: report.done, lost: count - report.done },
    ...{ again: report.again, reordered: report.violations.length },
  });
  await producing.stop();
  await traceRedis.stop();
  expect(report.violations).toEqual([]);
  expect(report.done).toBe(count);
});
