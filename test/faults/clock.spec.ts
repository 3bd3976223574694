import { existsSync, writeFileSync } from 'node:fs';
import { figuresOf, FLAWLESS, tellFigures } from '../helpers/figures.js';
import { Fleet } from '../helpers/fleet.js';
import { History } from '../helpers/history.js';
import { judge } from '../helpers/judge.js';
import { describeWithPreload, Preload } from '../helpers/preload.js';
import { seed as newSeed } from '../helpers/random.js';
import { startRedis } from '../helpers/redis.js';
import { Traffic } from '../helpers/traffic.js';
import { connect, Handled, IMPATIENT, publishMany, within } from '../helpers/workload.js';

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
      await within(10_000, 'what is sent after the jump', reminded.all(news));
      const idleMs = Math.round(performance.now() - sentAt);
      await traffic.addConsumer();
      await traffic.healed();
      // What is due by the clock of Redis comes when that clock is there: after a jump back, once it is put right.
      if (byMs < 0) clock.jump(0);
      await traffic.healed();
      await within(10_000, 'what was delayed', reminded.all(delayed));
      const ending = await traffic.finish();
      tellFigures('clock-of-redis', {
        ...{ seed, jump: what, ...figuresOf(ending), idleMs, delayedTwice: reminded.repeated },
      });
      await idle.stop(2_000);
      await redis.stop();
      expect(ending).toMatchObject({ ...FLAWLESS, left: 0, deadLetters: 0 });
      expect(reminded.repeated).toBe(0);
    },
    90_000,
  );

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
    await within(20_000, 'half of the messages', history.when(isDone(0.5)));
    history.broken();
    clocks[0]!.jump(-HOUR_MS);
    clocks[1]!.jump(HOUR_MS);
    await within(20_000, 'all messages', history.when(isDone(1)));
    await Promise.all([...consumers, ...producers].map((fleet) => fleet.stop()));
    await redis.stop();
    const verdict = judge(history.happenings, { ordered: [''] });
    const at = (kind: string, key: string): number =>
      history.happenings.find((one) => one.kind === kind && one.key === key)!.atMs;
    const waits = [0, 1].map((i) =>
      Math.round(at('handled', `later${i}`) - at('sent', `later${i}`)),
    );
    tellFigures('clock-of-processes', {
      ...figuresOf(verdict),
      ...{ delayMs: DELAY_MS, waitedMs: waits.join(',') },
    });
    expect(verdict).toMatchObject({ ...FLAWLESS, confirmed: keys.length });
    // What processes tell each other may itself take a moment.
    for (const wait of waits) expect(wait).toBeGreaterThan(DELAY_MS - 200);
  }, 90_000);
});
