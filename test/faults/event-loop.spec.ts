import { setTimeout as pass } from 'node:timers/promises';
import { figuresOf, FLAWLESS, tellFigures } from '../helpers/figures.js';
import { Fleet } from '../helpers/fleet.js';
import { History } from '../helpers/history.js';
import { judge } from '../helpers/judge.js';
import { startRedis } from '../helpers/redis.js';
import { connect, lagLeft, within } from '../helpers/workload.js';

const PROGRAM = new URL('./programs/member.mjs', import.meta.url);
const LEASE_MS = 1_200;
const STALL_MS = 3 * LEASE_MS;
const LANES = 6;
const EACH = 10;
const MOST = 100;
const SETTINGS = {
  heartbeatMs: 200,
  deadAfterMs: 1_000,
  topics: { queues: 2 },
  consumer: { blockMs: 500, swallowedAfterMs: 500, renewMs: 300 },
  ordered: { leaseMs: LEASE_MS, renewMs: 200, selfStopMs: 800, rebalanceDelayMs: 100 },
};

it.each([
  ['unordered', false],
  ['ordered', true],
])(
  'takes over from an %s consumer whose handler blocks the thread for three leases, and heeds nothing it says later',
  async (name, ordered) => {
    const redis = await startRedis();
    const history = new History();
    const namespace = `stall-${name}`;
    const consumes = {
      ...{ group: 'billing', ordered, concurrency: 8, handlerMs: 10, maxAttempts: 50 },
      onExhausted: 'park',
    };
    const fleetOf = (stall?: object): Fleet =>
      new Fleet({
        ...{ program: PROGRAM, history },
        args: [redis.url, JSON.stringify({ namespace, settings: SETTINGS, consumes, stall })],
      });
    const producing = connect(redis.url, namespace, SETTINGS);
    await producing.open();
    await producing.topics.get('orders');
    const others = fleetOf();
    await others.launch();
    const stalling = fleetOf({ ms: STALL_MS });
    await stalling.launch();
    const isStalled = (async () => {
      while (stalling.started.size === 0) await stalling.change();
    })();
    const send = async (lane: number, seq: number): Promise<void> => {
      const key = `${lane}:${seq}`;
      history.sent(key, { lane: String(lane), seq });
      await producing.producer.send('orders', {}, { key, messageGroup: String(lane) });
      history.answered(key, 'confirmed');
    };
    // Until it has its share, the other one handles all.
    let sent = 0;
    for (; stalling.started.size === 0 && sent < MOST; sent++) {
      await Promise.all(Array.from({ length: LANES }, (_, lane) => send(lane, sent)));
      await Promise.race([isStalled, pass(100)]);
    }
    history.broken();
    const [stalledKey] = stalling.started.keys();
    const stalledAt = performance.now();
    for (const end = sent + EACH; sent < end; sent++)
      await Promise.all(Array.from({ length: LANES }, (_, lane) => send(lane, sent)));
    const all = history.when(() => history.keys('handled').size === LANES * sent);
    await within(60_000, 'all messages', all);
    const takenOverMs = Math.round(performance.now() - stalledAt);
    const group = { topic: 'orders', group: 'billing' };
    await lagLeft(producing, group);
    // A process that stops does not wait for a handler that no longer counts.
    const hasEnded = async (): Promise<void> => {
      const { handledInVain, handled } = stalling;
      while (!handledInVain.includes(stalledKey!) && !handled.has(stalledKey!))
        await stalling.change();
    };
    await within(60_000, 'the end of the stalled handler', hasEnded());
    await Promise.all([stalling.stop(), others.stop()]);
    const left = await lagLeft(producing, group);
    await producing.stop(2_000);
    await redis.stop();
    const verdict = judge(history.happenings, ordered ? { ordered: [''] } : {});
    tellFigures(`event-loop-${name}`, {
      ...{ stallMs: STALL_MS, leaseMs: LEASE_MS, ...figuresOf(verdict), left },
      toldByItsSignal: stalling.handledInVain.length,
      settlesRefused: stalling.refused.length,
      takenOverMs,
    });
    expect(verdict).toMatchObject(FLAWLESS);
    expect(left).toBe(0);
    // It was taken over while it stood still, and what was said about it afterwards changed nothing.
    expect(others.handled.has(stalledKey!)).toBe(true);
    expect(stalling.refused).toContain(stalledKey);
    // In order, its signal had told it by then.
    expect(stalling.handledInVain.includes(stalledKey!) || !ordered).toBe(true);
  },
);
