import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { tellFigures } from '../helpers/figures.js';
import { startRedis, type TestRedis } from '../helpers/redis.js';
import { connect, Handled, publishMany, within } from '../helpers/workload.js';

const DRAIN_MS = 1_500;
/** What a busy machine may add; who waited for a Redis that is silent would need ten minutes (leaver.mjs). */
const SLACK_MS = 60_000;
const PROGRAM = new URL('./programs/leaver.mjs', import.meta.url);

const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

interface Told {
  ready?: true;
  started?: string;
  stoppedMs?: number;
  sends?: string[];
}

/** A process that consumes; its messages are read one after the other. */
async function launch(url: string, facts: object): Promise<ChildProcess> {
  const child = fork(PROGRAM, [url, JSON.stringify(facts)], {
    execArgv: ['--unhandled-rejections=strict'],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  children.push(child);
  const died = once(child, 'exit').then(() => Promise.reject(new Error('it ended at once')));
  died.catch(() => {});
  const ready = told(child, (what) => what.ready === true);
  await within(60_000, 'the start of the process', Promise.race([ready, died]));
  return child;
}

/** Resolves with the first message that matches. Listening begins before this returns. */
function told(child: ChildProcess, matches: (what: Told) => boolean): Promise<Told> {
  return new Promise((resolve) => {
    const look = (what: unknown): void => {
      if (!matches(what as Told)) return;
      child.off('message', look);
      resolve(what as Told);
    };
    child.on('message', look);
  });
}

/** Tells it to stop. @returns how long it took, and how long until the process was gone by itself. */
async function leave(child: ChildProcess) {
  const begunAt = performance.now();
  const exited = once(child, 'exit') as Promise<[number | null, string | null]>;
  const stopped = told(child, ({ stoppedMs }) => stoppedMs !== undefined);
  child.send('stop');
  const { stoppedMs, sends } = await within(DRAIN_MS + SLACK_MS, 'the end of stop', stopped);
  const [code, signal] = await within(60_000, 'the end of the process', exited);
  return {
    stoppedMs: Math.round(stoppedMs!),
    goneMs: Math.round(performance.now() - begunAt),
    sends,
    code,
    signal,
  };
}

describe('a shutdown', () => {
  let redis: TestRedis;
  beforeEach(async () => {
    // With `everysec` a server that is killed while its disk is busy loses what it has confirmed.
    redis = await startRedis({ persistence: 'aof-always' });
  });
  afterEach(() => redis.stop());

  it.each<[string, (redis: TestRedis) => Promise<void>]>([
    ['is well', () => Promise.resolve()],
    ['is gone', (server) => server.kill('SIGKILL')],
    ['is frozen', (server) => server.kill('SIGSTOP')],
  ])(
    'ends within the drain limit when Redis %s, and leaves nothing running',
    async (state, harm) => {
      const child = await launch(redis.url, { namespace: 'idle', drainMs: DRAIN_MS });
      await harm(redis);
      const left = await leave(child);
      tellFigures('shutdown-idle', {
        redis: state,
        stoppedMs: left.stoppedMs,
        goneMs: left.goneMs,
      });
      expect(left).toMatchObject({ code: 0, signal: null });
    },
  );

  it.each<[string, (redis: TestRedis) => Promise<void>, (redis: TestRedis) => Promise<void>]>([
    ['is well', () => Promise.resolve(), () => Promise.resolve()],
    ['is gone', (server) => server.kill('SIGKILL'), (server) => server.restart()],
    ['is frozen', (server) => server.kill('SIGSTOP'), (server) => server.kill('SIGCONT')],
  ])('gives what hanging handlers hold to others when Redis %s', async (state, harm, heal) => {
    const facts = { namespace: 'hang', drainMs: DRAIN_MS, hangs: true };
    const child = await launch(redis.url, facts);
    const producing = connect(redis.url, 'hang');
    await producing.open();
    let inHand = 0;
    const begun = told(child, ({ started }) => started !== undefined && ++inHand === 8);
    const keys = await publishMany(producing, 8);
    await within(60_000, 'deliveries in hand', begun);
    await harm(redis);
    const left = await leave(child);
    expect(left).toMatchObject({ code: 0, signal: null });
    expect(left.stoppedMs).toBeGreaterThan(DRAIN_MS - 100);

    await heal(redis);
    const other = connect(redis.url, 'hang');
    const handled = new Handled();
    other.subscribe({
      topic: 'orders',
      group: 'billing',
      origin: 'other',
      handler: (delivery) => handled.note(delivery),
    });
    await other.consume();
    await within(60_000, 'the take-over', handled.all(keys)).catch(() => {});
    tellFigures('shutdown-hanging', {
      ...{ redis: state, stoppedMs: left.stoppedMs, goneMs: left.goneMs },
      ...{ sent: 8, lost: handled.missing(keys).length, again: handled.repeated },
    });
    expect(handled.missing(keys)).toEqual([]);
    expect(handled.repeated).toBe(0);
    await Promise.all([producing.stop(1_000), other.stop(1_000)]);
  });

  it('settles what is in hand before it ends, and nobody gets it again', async () => {
    const producing = connect(redis.url, 'clean');
    const first = connect(redis.url, 'clean');
    const handled = new Handled();
    const subscribe = (rivulet: typeof first): void =>
      void rivulet.subscribe({
        topic: 'orders',
        group: 'billing',
        origin: 'a test',
        concurrency: 4,
        handler: async (delivery) => {
          await new Promise((resolve) => setTimeout(resolve, 20));
          handled.note(delivery);
        },
      });
    subscribe(first);
    await first.consume();
    const second = connect(redis.url, 'clean');
    subscribe(second);
    await second.consume();
    await producing.open();
    const begun = first.events.next('delivered');
    const sending = publishMany(producing, 300);
    await begun;
    const begunAt = performance.now();
    // The limit would end long after this test.
    await within(60_000, 'the end of the first', first.stop(600_000));
    const stoppedMs = Math.round(performance.now() - begunAt);
    const keys = await sending;
    await within(60_000, 'the rest', handled.all(keys)).catch(() => {});
    tellFigures('shutdown-busy', {
      ...{ sent: 300, handled: handled.times.size, again: handled.repeated, stoppedMs },
    });
    expect(handled.missing(keys)).toEqual([]);
    expect(handled.repeated).toBe(0);
    await Promise.all([producing.stop(1_000), second.stop(1_000)]);
  });
});
