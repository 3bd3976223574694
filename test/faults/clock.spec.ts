import { existsSync, writeFileSync } from 'node:fs';
import { figuresOf, FLAWLESS, tellFigures } from '../helpers/figures.js';
import { Fleet } from '../helpers/fleet.js';
import { History } from '../helpers/history.js';
import { judge } from '../helpers/judge.js';
import { describeWithPreload, Preload } from '../helpers/preload.js';
import { seed as newSeed } from '../helpers/random.js';
import { startRedis } from '../helpers/redis.js';
import { Traffic } from '../helpers/traffic.js';
import {
  connect,
  Handled,
  IMPATIENT,
  publishMany,
  whenStored,
  within,
} from '../helpers/workload.js';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DELAY_MS = 1_500;
const LANES = 4;
const EACH = 40;
const PROGRAM = new URL('./programs/member.mjs', import.meta.url);

describeWithPreload('the wall clock', () => {
  let preload: Preload;
  beforeAll(() => {
    preload = Preload.compile('clock');
  });
  afterAll(() => preload.remove());

  /** A clock of its own for what is started with `env`. */
  function newClock(name: string, byMs = 0) {
    const file = preload.file(name);
    /** Whoever has it mapped sees it at once. */
    const jump = (ms: number): void => {
      const bytes = Buffer.alloc(8);
      bytes.writeBigInt64LE(BigInt(ms));
      writeFileSync(file, bytes, { flag: existsSync(file) ? 'r+' : 'w' });
    };
    jump(byMs);
    return { env: { ...preload.env, RIVULET_CLOCK: file }, jump };
  }

  it.each([
    ['10 minutes ahead', 10 * MINUTE_MS],
    ['10 minutes back', -10 * MINUTE_MS],
    ['an hour back', -HOUR_MS],
  ])(
    'of Redis may jump %s: nothing is lost, out of order or handled twice, and what is sent is handled',
    async (what, byMs) => {
      const seed = newSeed();
      const clock = newClock(what);
      const redis = await startRedis({ env: clock.env });
      const idle = connect(redis.url, 'idle');
      const reminded = new Handled();
      idle.subscribe({
        ...{ topic: 'reminders', group: 'billing', origin: 'idle' },
        handler: (delivery) => reminded.note(delivery),
      });
      await idle.consume();
      const traffic = await Traffic.start({ seed, directUrl: redis.url, namespace: 'clock' });
      const delayMs = byMs > 0 ? byMs : DELAY_MS;
      const delayed = await publishMany(idle, 8, { topic: 'reminders', delayMs });
      traffic.history.broken();
      clock.jump(byMs);
      // Whoever waits for news is woken by it, although the end of its wait has moved.
      const news = await publishMany(idle, 8, { topic: 'reminders', prefix: 'news' });
      const sentAt = performance.now();
      await within(60_000, 'what is sent after the jump', reminded.all(news));
      const idleMs = Math.round(performance.now() - sentAt);
      await traffic.addConsumer();
      await traffic.healed();
      // What is due by the clock of Redis comes when that clock is there: after a jump back, once it is put right.
      if (byMs < 0) clock.jump(0);
      await traffic.healed();
      await within(60_000, 'what was delayed', reminded.all(delayed));
      const ending = await traffic.finish();
      tellFigures('clock-of-redis', {
        ...{ seed, jump: what, ...figuresOf(ending), idleMs, delayedTwice: reminded.repeated },
      });
      await idle.stop(2_000);
      await redis.stop();
      expect(ending).toMatchObject({ ...FLAWLESS, left: 0, deadLetters: 0 });
      expect(reminded.repeated).toBe(0);
    },
  );

  it('of Redis may jump an hour back and stay there: retries, and what a killed process held, come as ever', async () => {
    const clock = newClock('stays back');
    const redis = await startRedis({ env: clock.env });
    const namespace = 'back';
    const settings = { ...IMPATIENT, topics: { queues: 2 } };
    const history = new History();
    const consumes = { group: 'billing', concurrency: 8, handlerMs: 0, maxAttempts: 5 };
    const harm = { at: 'handler ended', nth: 1, signal: 'SIGSTOP' };
    const job = JSON.stringify({ namespace, settings, consumes, harm });
    const victim = new Fleet({ program: PROGRAM, history, args: [redis.url, job] });
    await victim.launch();
    const survivor = connect(redis.url, namespace, settings);
    const handled = new Handled();
    const failed = new Set<string>();
    survivor.subscribe({
      ...{ topic: 'orders', group: 'billing', origin: 'survivor' },
      retry: { maxAttempts: 5, backoff: () => DELAY_MS },
      handler: (delivery) => {
        const key = delivery.message.key!;
        if (key.startsWith('failing') && !failed.has(key)) {
          failed.add(key);
          throw new Error('not yet');
        }
        handled.note(delivery);
      },
    });
    await survivor.open();
    // It stands still with the first one handled and not settled, and with others in hand.
    const held = await publishMany(survivor, 8, { prefix: 'held' });
    await within(60_000, 'the first one', victim.whenHandled(1));
    await survivor.consume();
    const retried = survivor.events.next('retried');
    const failing = await publishMany(survivor, 8, { prefix: 'failing' });
    await within(60_000, 'a failure', retried);
    clock.jump(-HOUR_MS);
    await victim.killOne(Math.random);
    const jumpedAt = performance.now();
    const unsettled = [...held, ...failing].filter((key) => !victim.handled.has(key));
    await within(60_000, 'what was left', handled.all(unsettled));
    const backMs = Math.round(performance.now() - jumpedAt);
    tellFigures('clock-stays-back', { left: unsettled.length, retried: failed.size, backMs });
    await survivor.stop(2_000);
    await redis.stop();
    expect(unsettled.length).toBeGreaterThan(failing.length);
  });

  it('of Redis may jump an hour back: what was in a reply that got lost is handed out again as soon as ever', async () => {
    const clock = newClock('lost reply');
    const redis = await startRedis({ env: clock.env });
    const rivulet = connect(redis.url, 'lost', { topics: { queues: 1 } });
    await rivulet.open();
    const { deliveries, topics } = rivulet.stores;
    await publishMany(rivulet, 1);
    const ref = { topic: 'orders', queue: 0, group: 'billing' };
    const join = { group: 'billing', mode: 'unordered', filterDigest: '' } as const;
    await topics.joinGroup('orders', { ...join, from: 'earliest' });
    const reader = deliveries.openReader('billing', 'me');
    const { signal } = new AbortController();
    const read = await reader.read({ queues: [ref], perQueue: 1, blockMs: 0, signal });
    clock.jump(-HOUR_MS);
    const released = async (): Promise<number> =>
      (await deliveries.renew(ref, { consumer: 'me', inHand: [], swallowedAfterMs: 500 })).released;
    await within(
      60_000,
      'its return',
      whenStored(async () => (await released()) === 1),
    );
    await reader.close();
    await rivulet.stop(2_000);
    await redis.stop();
    expect(read).toHaveLength(1);
  });

  it('of processes may be an hour ahead or back, and jump to the other: order and delays are those of Redis', async () => {
    const redis = await startRedis();
    const history = new History();
    const settings = {
      ...{ ...IMPATIENT, topics: { queues: 2 } },
      ordered: { leaseMs: 2_500, renewMs: 400, selfStopMs: 1_800, rebalanceDelayMs: 300 },
    };
    const launch = async (env: Record<string, string>, job: object): Promise<Fleet> => {
      const args = [redis.url, JSON.stringify({ namespace: 'clocks', settings, ...job })];
      const fleet = new Fleet({ program: PROGRAM, history, args, env });
      await fleet.launch();
      return fleet;
    };
    const clocks = [newClock('ahead', HOUR_MS), newClock('back', -HOUR_MS)];
    const consumes = { group: 'ledger', ordered: true, concurrency: 8, handlerMs: 5 };
    const consuming = { consumes: { ...consumes, maxAttempts: 50, onExhausted: 'park' } };
    const consumers = await Promise.all(clocks.map(({ env }) => launch(env, consuming)));
    const keys: string[] = [];
    const producers = await Promise.all(
      clocks.map(({ env }, process) => {
        const sends = Array.from({ length: LANES * EACH }, (_, i) => {
          const [lane, seq] = [`p${process}g${i % LANES}`, Math.floor(i / LANES)];
          return { key: `${lane}:${seq}`, lane };
        });
        const later = { key: `later${process}`, lane: `later${process}`, delayMs: DELAY_MS };
        keys.push(...[...sends, later].map(({ key }) => key));
        return launch(env, { sends: [...sends, later], pauseMs: 60 });
      }),
    );
    const isDone = (part: number) => (): boolean =>
      history.keys('handled').size >= keys.length * part;
    await within(60_000, 'half of the messages', history.when(isDone(0.5)));
    history.broken();
    clocks[0]!.jump(-HOUR_MS);
    clocks[1]!.jump(HOUR_MS);
    await within(60_000, 'all messages', history.when(isDone(1)));
    await Promise.all([...consumers, ...producers].map((fleet) => fleet.stop()));
    await redis.stop();
    const verdict = judge(history.happenings, { ordered: [''] });
    const log = [...consumers, ...producers].flatMap((fleet) => fleet.log);
    const at = (kind: 'sending' | 'handled', key: string): number =>
      log.find(({ told }) => told[kind] === key)!.told.atMs!;
    const waits = [0, 1].map((i) =>
      Math.round(at('handled', `later${i}`) - at('sending', `later${i}`)),
    );
    tellFigures('clock-of-processes', {
      ...figuresOf(verdict),
      ...{ delayMs: DELAY_MS, waitedMs: waits.join(',') },
    });
    expect(verdict).toMatchObject({ ...FLAWLESS, confirmed: keys.length });
    for (const wait of waits) expect(wait).toBeGreaterThan(DELAY_MS - 5);
  });
});
