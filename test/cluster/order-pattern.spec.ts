import type { Cluster } from 'ioredis';
import type { Rivulet } from '../../lib/core/rivulet.js';
import { Keys } from '../../lib/redis/keys.js';
import {
  clusterConnection,
  clusterOperator,
  startCluster,
  type TestCluster,
} from '../helpers/cluster.js';
import { tellFigures } from '../helpers/figures.js';
import { Fleet } from '../helpers/fleet.js';
import { checkOrder, readTrace } from '../helpers/order-check.js';
import { startRedis } from '../helpers/redis.js';
import { promoted } from '../helpers/sentinel.js';
import { moveSlot, pairOf, slotOf } from '../helpers/slots.js';
import { connect, IMPATIENT, whenStored, within } from '../helpers/workload.js';

/** Long: RIVULET_GROUPS=500. Of each topic. */
const GROUPS = Number(process.env['RIVULET_GROUPS'] ?? 20);
/** More in all than one process has connections to wait for. */
const QUEUES = 24;
const PATIENCE_MS = 60_000;
const PROGRAM = new URL('../guarantees/programs/ordered.mjs', import.meta.url);
const TIMING = { leaseMs: 3_000, renewMs: 400, selfStopMs: 1_500, rebalanceDelayMs: 500 };
const FACTS = { namespace: 'patterns', topic: 'orders.*', group: 'billing' };
const keys = new Keys(FACTS);

/** Each group's messages in order, all groups side by side, until it is told to end. What is not confirmed is sent again. */
class Publishing {
  sent = 0;
  private isOver = false;
  private readonly done: Promise<void>;

  constructor(
    private readonly producing: Rivulet,
    private readonly fleet: Fleet,
    private readonly country: string,
  ) {
    this.done = this.publish();
  }

  get topic(): string {
    return `orders.${this.country}`;
  }

  private get handled(): number {
    const prefix = `${this.country}-`;
    return [...this.fleet.handled.keys()].filter((key) => key.startsWith(prefix)).length;
  }

  /** Resolves when two more of each group were handled. */
  async flows(): Promise<void> {
    const wanted = this.handled + 2 * GROUPS;
    while (this.handled < wanted) await this.fleet.change();
  }

  /** Resolves when all that was confirmed is handled. */
  async end(): Promise<void> {
    this.isOver = true;
    await this.done;
    while (this.handled < this.sent) await this.fleet.change();
  }

  private async publish(): Promise<void> {
    for (let n = 1; !this.isOver; n++) {
      const groups = Array.from({ length: GROUPS }, (_, group) => `${this.country}-g${group}`);
      await Promise.all(groups.map((group) => this.confirmed(group, `${group}:${n}`)));
      this.sent += GROUPS;
      while (this.sent - this.handled > 3 * GROUPS) await this.fleet.change();
    }
  }

  private async confirmed(messageGroup: string, key: string): Promise<void> {
    const acks = { replicas: 1, timeoutMs: 500 };
    const options = { key, messageGroup, dedupId: key, acks, timeoutMs: 1_000 };
    const { producer } = this.producing;
    while (!(await producer.send(this.topic, {}, options).then(...IS_CONFIRMED)));
  }
}

const IS_CONFIRMED = [() => true, () => false] as const;

let cluster: TestCluster;
let operator: Cluster;
beforeAll(async () => {
  cluster = await startCluster();
  operator = clusterOperator(cluster.url);
});
afterAll(async () => {
  operator.disconnect();
  await cluster.stop();
});

it('a pattern keeps the order in each of its topics while processes and nodes are killed, slots move, and topics come and go', async () => {
  const traceRedis = await startRedis();
  const producing = connect(clusterConnection(cluster.url), FACTS.namespace, {
    ...IMPATIENT,
    topics: { queues: QUEUES },
  });
  await producing.open();
  const job = { ...FACTS, concurrency: 16, handlerMs: 4, failing: 0.01, timing: TIMING };
  const args = [cluster.url, traceRedis.url, JSON.stringify(job)];
  const fleet = new Fleet({ program: PROGRAM, args });
  const publish = (country: string): Publishing => new Publishing(producing, fleet, country);
  const flow = (...of: Publishing[]): Promise<unknown> =>
    within(PATIENCE_MS, 'messages', Promise.all(of.map((each) => each.flows())));

  const [de, fr] = [publish('de'), publish('fr')];
  const [dying] = await Promise.all([fleet.launch(), fleet.launch()]);
  await flow(de, fr);
  dying!.kill('SIGKILL');
  const it = publish('it');
  await flow(de, fr, it);
  await fleet.launch();
  const slot = slotOf(keys.queue({ topic: de.topic, queue: 0 }).log);
  for (let move = 0; move < 2; move++) {
    await moveSlot(operator, slot, () => flow(fr));
    await flow(de, fr, it);
  }
  await within(PATIENCE_MS, 'the end of a topic', it.end());
  await whenStored(async () => {
    const { stores } = producing;
    const lags = await Promise.all(
      Array.from({ length: QUEUES }, (_, queue) =>
        stores.deliveries.lag({ topic: it.topic, queue, group: FACTS.group }),
      ),
    );
    return lags.every(({ undelivered, inFlight }) => undelivered === 0 && inFlight === 0);
  });
  await producing.stores.topics.remove(it.topic);
  await flow(de, fr);

  const { node, follower } = await pairOf({ nodes: cluster.nodes, operator }, slot);
  await node.kill('SIGKILL');
  await promoted(follower);
  // Until there is a replica again, nobody can confirm what the new primary stores.
  await node.restart();
  await flow(de, fr);
  await within(PATIENCE_MS, 'the rest', Promise.all([de.end(), fr.end()]));
  await within(
    PATIENCE_MS,
    'the end of the connections of the topic that is gone',
    whenStored(async () => (await waitingConnections()) <= 2 * QUEUES),
  );
  await within(PATIENCE_MS, 'a clean stop', fleet.stop());
  await producing.stop();

  const excused = new Set([String(dying!.pid)]);
  const report = checkOrder(await readTrace(traceRedis.url), excused, { mayRewind: true });
  const sent = de.sent + fr.sent + it.sent;
  tellFigures('cluster-order-pattern', {
    ...{ topics: 3, queues: 3 * QUEUES, groups: GROUPS, sent, lost: sent - report.done },
    ...{ handled: report.done, again: report.again, reordered: report.violations.length },
  });
  const left = await Promise.all(
    operator.nodes('master').map((node) => node.keys(`{${FACTS.namespace}:${it.topic}*`)),
  );
  await traceRedis.stop();
  expect(report.violations).toEqual([]);
  expect(report.done).toBe(sent);
  // Dedup ids are remembered for their window, and expire.
  expect(left.flat().filter((key) => !key.includes('}:dedup:'))).toEqual([]);
});

/** Of consumers; a producer that waits for acks has some that wait for nothing now. */
async function waitingConnections(): Promise<number> {
  const lists = await Promise.all(operator.nodes('master').map((node) => node.client('LIST')));
  return String(lists).split(' cmd=xread ').length - 1;
}
