import { setTimeout as pass } from 'node:timers/promises';
import type { Delivery } from '../../lib/core/consumer/subscription.js';
import type { Rivulet } from '../../lib/core/rivulet.js';
import { MessageAdmin } from '../../lib/inspect/message-admin.js';
import { figuresOf, FLAWLESS, tellFigures } from '../helpers/figures.js';
import { History } from '../helpers/history.js';
import { judge } from '../helpers/judge.js';
import { startRedis } from '../helpers/redis.js';
import { connect, within } from '../helpers/workload.js';

/** Long: RIVULET_SLOW_MESSAGES=4000. Half of them before there is anybody slow. */
const MESSAGES = Number(process.env['RIVULET_SLOW_MESSAGES'] ?? 300);
const CONCURRENCY = 4;
const INSTANCES = 2;
const QUICK_MS = 6;
const SLOW_MS = 10 * QUICK_MS;
const PAUSE_MS = 4;

/** In the order of beginning: what began last ends first, however the test does. */
const endings: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

it(
  'groups that are slow, or hang, hold no more than their slots, and hold up nobody else',
  async () => {
    const redis = await startRedis();
    endings.push(() => redis.stop());
    const history = new History();
    const settings = { topics: { queues: 2 } };
    const instances = Array.from({ length: INSTANCES }, () =>
      connect(redis.url, 'beside', settings),
    );
    endings.push(() => Promise.all(instances.map((one) => one.stop(2_000))));
    const [hanging] = instances as [Rivulet];
    let release = (): void => {};
    const released = new Promise<void>((resolve) => (release = resolve));
    const running = new Map<string, number>();
    const most = new Map<string, number>();

    /** Each instance consumes in it, and does this with each delivery. */
    const consume = async (
      group: string,
      work: (at: Rivulet) => Promise<unknown>,
    ): Promise<void> => {
      const handle = async (at: Rivulet, { message }: Delivery): Promise<void> => {
        const name = `${group} ${instances.indexOf(at)}`;
        const now = (running.get(name) ?? 0) + 1;
        running.set(name, now);
        most.set(name, Math.max(most.get(name) ?? 0, now));
        await work(at);
        running.set(name, running.get(name)! - 1);
        history.handled(message.key!, group);
      };
      for (const at of instances) {
        at.subscribe({
          ...{ topic: 'orders', group, origin: group, concurrency: CONCURRENCY },
          handler: (delivery) => handle(at, delivery),
        });
        at.events.on('acked', ({ key, group: of }) => of === group && history.settled(key!, group));
        await at.consume();
      }
    };
    let sent = 0;
    const send = async (count: number): Promise<string[]> => {
      const keys = Array.from({ length: count }, () => `m${sent++}`);
      for (const key of keys) {
        history.sent(key);
        const send = instances[1]!.producer.send('orders', {}, { key });
        void send.then(() => history.answered(key, 'confirmed'));
        await pass(PAUSE_MS);
      }
      return keys;
    };
    const handled = (group: string): number => history.keys('handled', group).size;

    await consume('quick', () => pass(Math.random() * QUICK_MS));
    const alone = await send(MESSAGES / 2);
    await within(
      60_000,
      'quick',
      history.when(() => handled('quick') === sent),
    );

    await consume('slow', () => pass(SLOW_MS));
    await consume('stuck', (at) => (at === hanging ? released : pass(QUICK_MS)));
    const admin = new MessageAdmin({ rivulet: hanging });
    const inFlight = new Map<string, number>();
    const look = async (): Promise<void> => {
      for (const group of ['slow', 'stuck']) {
        const { total } = await admin.describeGroup('orders', group);
        inFlight.set(group, Math.max(inFlight.get(group) ?? 0, total.inFlight));
      }
    };
    const looking = setInterval(() => void look(), 100);
    endings.push(() => clearInterval(looking));
    const beside = await send(MESSAGES / 2);
    await within(
      60_000,
      'quick beside slow',
      history.when(() => handled('quick') === sent),
    );
    const slowWhenQuickWasDone = handled('slow');
    await within(
      60_000,
      'the other instance of the group that hangs',
      history.when(() => handled('stuck') === sent - CONCURRENCY),
    );
    await look();
    clearInterval(looking);
    const stuckUntilReleased = sent - handled('stuck');
    release();
    const settled = (group: string): number => history.keys('settled', group).size;
    const isDone = (): boolean =>
      ['quick', 'slow', 'stuck'].every((group) => settled(group) === sent);
    await within(60_000 + sent * SLOW_MS, 'all of them', history.when(isDone));
    const verdict = judge(history.happenings, {
      ...{ groups: ['quick', 'slow', 'stuck'], tellsSettled: true },
    });
    tellFigures('slow-consumers', {
      ...figuresOf(verdict),
      ...{ slowWhenQuickWasDone, stuckUntilReleased, inFlightSlow: inFlight.get('slow')! },
      inFlightStuck: inFlight.get('stuck')!,
      quickP99AloneMs: p99(history, alone),
      quickP99BesideMs: p99(history, beside),
    });
    expect(verdict).toMatchObject({ ...FLAWLESS, confirmed: sent, again: 0 });
    expect(slowWhenQuickWasDone).toBeLessThan(sent);
    expect(stuckUntilReleased).toBe(CONCURRENCY);
    for (const at of most.values()) expect(at).toBeLessThanOrEqual(CONCURRENCY);
    // What was read ahead waits in a process for a second at most, and is as much as the slots.
    expect(inFlight.get('slow')).toBeLessThanOrEqual(2 * CONCURRENCY * INSTANCES);
    expect(inFlight.get('stuck')).toBeLessThanOrEqual(2 * CONCURRENCY * INSTANCES);
  },
  240_000 + 100 * MESSAGES,
);

/** Of the time from send to the end of the handler, in the group that is quick. */
function p99({ happenings }: History, keys: string[]): number {
  const at = new Map<string, number>();
  const waits: number[] = [];
  const own = new Set(keys);
  for (const { kind, key, group, atMs } of happenings) {
    if (!own.has(key)) continue;
    if (kind === 'sent') at.set(key, atMs);
    if (kind === 'handled' && group === 'quick') waits.push(atMs - at.get(key)!);
  }
  return Math.round(waits.toSorted((a, b) => a - b)[Math.floor(waits.length * 0.99)]!);
}
