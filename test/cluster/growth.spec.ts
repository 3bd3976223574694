import { randomBytes } from 'node:crypto';
import { clusterConnection } from '../helpers/cluster.js';
import { tellFigures } from '../helpers/figures.js';
import { Fleet } from '../helpers/fleet.js';
import { checkOrder, readTrace } from '../helpers/order-check.js';
import { startRedis } from '../helpers/redis.js';
import { sendInRounds } from '../helpers/rounds.js';
import { sharedServer, waitForServer } from '../helpers/servers.js';
import { connect, within } from '../helpers/workload.js';

/** Long: RIVULET_GROUPS=2000. */
const GROUPS = Number(process.env['RIVULET_GROUPS'] ?? 100);
const EACH = 4;
const PATIENCE_MS = 60_000;
const PROGRAM = new URL('../guarantees/programs/ordered.mjs', import.meta.url);
const TIMING = { leaseMs: 3_000, renewMs: 400, selfStopMs: 1_500, rebalanceDelayMs: 500 };

waitForServer('cluster');

it('a topic on several nodes grows under load, and no message group loses its order', async () => {
  const nodes = await sharedServer('cluster');
  const traceRedis = await startRedis();
  const namespace = `growth-${randomBytes(4).toString('hex')}`;
  const facts = { namespace, topic: 'orders', group: 'billing' };
  const job = { ...facts, concurrency: 16, handlerMs: 4, failing: 0.01, timing: TIMING };
  const args = [nodes, traceRedis.url, JSON.stringify(job)];
  const fleet = new Fleet({ program: PROGRAM, args });
  const producing = connect(clusterConnection(nodes), namespace);
  await producing.open();
  await producing.stores.topics.declare('orders', { queues: 2 });
  await Promise.all([fleet.launch(), fleet.launch()]);
  const sending = sendInRounds({ producers: [producing], fleet, groups: GROUPS, rounds: EACH });
  await within(PATIENCE_MS, 'a third', fleet.whenHandled((GROUPS * EACH) / 3));
  await producing.stores.topics.alter('orders', { queues: 6 });
  const sent = await sending;
  await within(PATIENCE_MS, 'the rest', fleet.whenHandled(GROUPS * EACH));
  await within(PATIENCE_MS, 'a clean stop', fleet.stop());
  const extents = await Promise.all(
    [2, 3, 4, 5].map((queue) => producing.stores.log.extent({ topic: 'orders', queue })),
  );
  const inNew = extents.reduce((sum, { length }) => sum + length, 0);
  const report = checkOrder(await readTrace(traceRedis.url), new Set());
  tellFigures('cluster-growth', {
    ...{ groups: GROUPS, sent, inNew, handled: report.done, lost: sent - report.done },
    ...{ again: report.again, reordered: report.violations.length },
  });
  await producing.stop();
  await traceRedis.stop();
  expect(report.violations).toEqual([]);
  expect(report.done).toBe(sent);
  expect(inNew).toBeGreaterThan(0);
});
