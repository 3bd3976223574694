import {
  SendFailedError,
  SendOutcomeUnknownError,
  StoreRefusedError,
} from '../../../lib/core/message/errors.js';
import type { SendResult } from '../../../lib/core/message/message.js';
import { PendingSend } from '../../../lib/core/producer/pending-send.js';
import { WORTH_ANOTHER_CALL } from '../../../lib/core/producer/producer-settings.js';
import { QueueAppender } from '../../../lib/core/producer/queue-appender.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';
import { ScriptedLog } from './scripted-log.js';

const TIMEOUT_MS = 10_000;

describe('QueueAppender', () => {
  let clock: ManualClock;
  let log: ScriptedLog;
  let appender: QueueAppender;
  let moved: string[][];
  let outcomes: Map<string, SendResult | Error>;

  beforeEach(() => {
    clock = new ManualClock();
    log = new ScriptedLog();
    moved = [];
    outcomes = new Map();
    appender = new QueueAppender({
      topic: 'orders',
      queue: 0,
      generation: 1,
      log,
      clock,
      session: 's',
      batch: { messages: 100, bytes: 10_000 },
      onMoved: (sends) => moved.push(sends.map(({ message }) => message.frame.toString())),
    });
  });

  /** Enqueues at once; `await turn()` lets the calls leave. */
  function send(...bodies: string[]): void {
    for (const body of bodies) appender.enqueue(pending(body));
  }

  function pending(body: string, onFailed = (): void => {}): PendingSend {
    return new PendingSend({
      message: {
        frame: Buffer.from(body),
        messageId: body,
        topic: 'orders',
        acks: undefined,
        deadline: clock.monotonic() + TIMEOUT_MS,
        timeoutMs: TIMEOUT_MS,
      },
      route: { by: 'turn' },
      answer: {
        resolve: (result) => outcomes.set(body, result),
        reject: (error) => {
          outcomes.set(body, error);
          onFailed();
        },
      },
    });
  }

  const turn = (): Promise<void> => clock.settle();
  /** Longer than any pause of a recovery, shorter than any deadline. */
  const pause = (): Promise<void> => clock.advance(1_000);
  const many = (from: number, count: number): string[] =>
    Array.from({ length: count }, (_, i) => String(from + i));
  const stored = (): string[] =>
    [...outcomes].filter(([, outcome]) => 'offset' in outcome).map(([body]) => body);
  const rejectedWith = (type: new (...args: never[]) => Error): string[] =>
    [...outcomes].filter(([, outcome]) => outcome instanceof type).map(([body]) => body);

  it('sends everything of one event-loop turn in one call', async () => {
    send('a', 'b', 'c');
    await turn();
    expect(log.appends).toHaveLength(1);
    expect(log.bodies(0)).toEqual(['a', 'b', 'c']);
    log.store(0);
    await turn();
    expect(outcomes.get('b')).toMatchObject({ messageId: 'b', offset: '1-2', state: 'stored' });
    expect(appender.idle).toBe(true);
  });

  it('keeps the timer of its first deadline for what comes after, and none once it is closed', async () => {
    for (const body of ['a', 'b', 'c']) {
      send(body);
      await turn();
      log.store(log.appends.length - 1);
      await turn();
      expect(appender.idle).toBe(true);
      expect(clock.armed).toBe(1);
    }
    appender.close();
    expect(clock.armed).toBe(0);
  });

  it('cuts a call at the most messages and at the most bytes', async () => {
    send(...many(0, 150));
    await turn();
    expect(log.appends.map(({ call }) => call.entries.length)).toEqual([100]);
    log.store(0);
    await turn();
    expect(log.appends.map(({ call }) => call.entries.length)).toEqual([100, 50]);
    log.store(1);
    send('x'.repeat(9_000), 'y'.repeat(2_000), 'z'.repeat(20_000));
    await turn();
    for (let n = 2; n < log.appends.length; n++) {
      log.store(n);
      await turn();
    }
    expect(log.appends.slice(2).map(({ call }) => call.entries.length)).toEqual([1, 1, 1]);
  });

  it('has at most five calls under way', async () => {
    send(...many(0, 1_000));
    await turn();
    expect(log.mostUnderWay).toBe(5);
    for (let n = 0; n < log.appends.length; n++) {
      log.store(n);
      await turn();
    }
    expect(log.mostUnderWay).toBe(5);
    expect(log.numbers).toEqual(many(1, 10).map((number) => `1:${number}`));
    expect(stored()).toEqual(many(0, 1_000));
  });

  it('lets sends wait for the call under way while they are few, so that they travel together', async () => {
    send('a');
    await turn();
    send('b');
    await turn();
    send('c');
    await turn();
    expect(log.appends).toHaveLength(1);
    log.store(0);
    await turn();
    expect(log.bodies(1)).toEqual(['b', 'c']);
  });

  it('never sends what it has called failed, also when that lets enough others in for a call', async () => {
    send('under way');
    await turn();
    const letIn = (): void => {
      send(...many(0, WORTH_ANOTHER_CALL));
      appender.flush();
    };
    appender.enqueue(pending('late', letIn));
    await clock.advance(TIMEOUT_MS);
    expect(outcomes.get('late')).toBeInstanceOf(SendFailedError);
    expect(log.bodies(1)).toEqual(many(0, WORTH_ANOTHER_CALL));
  });

  it('repeats a lost call only after the store said that it never arrived', async () => {
    send('a');
    await turn();
    log.appends[0]!.lose();
    await pause();
    expect(log.reopens[0]!.call).toMatchObject({ epoch: 2, asked: [{ epoch: 1, number: 1 }] });
    expect(log.appends).toHaveLength(1);
    log.reopens[0]!.answer({ state: 'open', answers: ['never'] });
    await turn();
    expect(log.numbers).toEqual(['1:1', '2:1']);
    log.store(1);
    await turn();
    expect(stored()).toEqual(['a']);
  });

  it('takes the answer of a lost call from the store', async () => {
    send('a');
    await turn();
    log.appends[0]!.lose();
    await pause();
    log.reopens[0]!.answer({ state: 'open', answers: [[{ state: 'stored', offset: '5-0' }]] });
    await turn();
    expect(outcomes.get('a')).toMatchObject({ offset: '5-0' });
    expect(log.appends).toHaveLength(1);
  });

  it('keeps the order when an early call is lost and later ones find a gap', async () => {
    send(...many(0, 400));
    await turn();
    expect(log.appends).toHaveLength(4);
    log.appends[0]!.lose();
    for (const n of [1, 2, 3]) log.appends[n]!.answer({ state: 'gap' });
    send('after');
    await pause();
    log.reopens[0]!.answer({ state: 'open', answers: ['never'] });
    await turn();
    const resent: string[] = [];
    for (let n = 4; n < log.appends.length; n++) {
      resent.push(...log.bodies(n));
      log.store(n);
      await turn();
    }
    expect(resent).toEqual([...many(0, 400), 'after']);
    expect(stored()).toEqual(resent);
  });

  it('asks only when every call under way has ended', async () => {
    send(...many(0, 200));
    await turn();
    log.appends[0]!.lose();
    await pause();
    expect(log.reopens).toHaveLength(0);
    log.store(1);
    await pause();
    expect(log.reopens[0]!.call.asked).toEqual([{ epoch: 1, number: 1 }]);
  });

  it('uses the number of a refused call again', async () => {
    send('a');
    await turn();
    log.appends[0]!.fail(new StoreRefusedError('OOM', { reason: 'OOM' }));
    await pause();
    expect(rejectedWith(SendFailedError)).toEqual(['a']);
    send('b');
    await turn();
    expect(log.numbers).toEqual(['1:1', '1:1']);
    expect(log.reopens).toHaveLength(0);
  });

  it('sends what stood behind a refused call again, with the numbers that are free', async () => {
    send(...many(0, 300));
    await turn();
    log.appends[0]!.fail(new StoreRefusedError('WRONGTYPE', { reason: 'WRONGTYPE' }));
    log.appends[1]!.answer({ state: 'gap' });
    log.appends[2]!.answer({ state: 'gap' });
    await pause();
    expect(log.numbers).toEqual(['1:1', '1:2', '1:3', '1:1', '1:2']);
    expect(log.bodies(3)[0]).toBe('100');
    expect(rejectedWith(SendFailedError)).toEqual(many(0, 100));
  });

  it.each(['NOT_SENT', 'LOADING', 'READONLY', 'CLUSTERDOWN', 'BUSY', 'NOREPLICAS'])(
    'tries again by itself after a refusal that passes: %s',
    async (reason) => {
      send('a');
      await turn();
      log.appends[0]!.fail(new StoreRefusedError(reason, { reason }));
      await pause();
      expect(outcomes.size).toBe(0);
      expect(log.numbers).toEqual(['1:1', '1:1']);
      log.store(1);
      await turn();
      expect(stored()).toEqual(['a']);
    },
  );

  it('answers "failed" when the store could never be asked in time', async () => {
    log.refusal = new StoreRefusedError('not sent', { reason: 'NOT_SENT' });
    send('a');
    await clock.advance(TIMEOUT_MS);
    expect(log.appends.length).toBeGreaterThan(15);
    expect(rejectedWith(SendFailedError)).toEqual(['a']);
    expect(outcomes.get('a')).toHaveProperty('messageId', 'a');
  });

  it('answers "unknown" when the store was asked and did not answer in time', async () => {
    send('a');
    await turn();
    send('b');
    await clock.advance(TIMEOUT_MS);
    expect(rejectedWith(SendOutcomeUnknownError)).toEqual(['a']);
    expect(rejectedWith(SendFailedError)).toEqual(['b']);
  });

  it('stays "unknown" once an answer was lost, whatever later tries were refused with', async () => {
    send('a');
    await turn();
    log.appends[0]!.lose();
    await clock.advance(500);
    for (let n = 0; clock.monotonic() < TIMEOUT_MS; n++) {
      log.reopens[n]!.fail(new StoreRefusedError('OOM', { reason: 'OOM' }));
      await clock.advance(1_000);
    }
    expect(rejectedWith(SendOutcomeUnknownError)).toEqual(['a']);
  });

  it('never sends a message again that was answered "unknown"', async () => {
    send('a');
    await turn();
    await clock.advance(TIMEOUT_MS);
    log.appends[0]!.lose();
    send('b');
    await pause();
    log.reopens[0]!.answer({ state: 'open', answers: ['never'] });
    await turn();
    expect(log.bodies(1)).toEqual(['b']);
    expect(log.numbers).toEqual(['1:1', '2:1']);
  });

  it('gives up asking when nobody waits, and begins a new epoch with the next send', async () => {
    send('a');
    await turn();
    log.appends[0]!.lose();
    await clock.advance(TIMEOUT_MS);
    for (let n = 0; n < log.reopens.length; n++) {
      log.reopens[n]!.lose();
      await clock.advance(1_000);
    }
    const asked = log.reopens.length;
    await clock.advance(60_000);
    expect(log.reopens).toHaveLength(asked);
    expect(appender.idle).toBe(true);
    expect(clock.armed).toBe(0);

    send('b');
    await pause();
    const last = log.reopens.at(-1)!;
    expect(last.call.epoch).toBe(asked + 2);
    last.answer({ state: 'open', answers: [] });
    await turn();
    expect(log.bodies(1)).toEqual(['b']);
    expect(log.appends[1]!.call).toMatchObject({ epoch: asked + 2, number: 1 });
  });

  it('sends a first call again that the store knows nothing of', async () => {
    send('a');
    await turn();
    log.appends[0]!.lose();
    await pause();
    log.reopens[0]!.answer({ state: 'new-session' });
    await turn();
    log.store(1);
    await turn();
    expect(stored()).toEqual(['a']);
  });

  it('does not say "not stored" of what a server that failed may have delivered', async () => {
    send('a');
    await turn();
    log.appends[0]!.lose();
    await pause();
    log.reopens[0]!.answer({ state: 'new-session' });
    await turn();
    log.appends[1]!.fail(new StoreRefusedError('OOM', { reason: 'OOM' }));
    await turn();
    expect(rejectedWith(SendOutcomeUnknownError)).toEqual(['a']);
  });

  it('does not say so either where a follower took over that knows the session, and stores it otherwise', async () => {
    send('a');
    await turn();
    log.store(0);
    send('b');
    await turn();
    send('c');
    log.appends[1]!.lose();
    await pause();
    log.reopens[0]!.answer({ state: 'open', answers: ['not-here'] });
    await turn();
    expect(log.bodies(2)).toEqual(['b', 'c']);
    log.appends[2]!.fail(new StoreRefusedError('OOM', { reason: 'OOM' }));
    await turn();
    expect(rejectedWith(SendOutcomeUnknownError)).toEqual(['b']);
    expect(rejectedWith(SendFailedError)).toEqual(['c']);
  });

  it('answers "unknown" when the store forgot a session it had acknowledged', async () => {
    send('a');
    await turn();
    log.store(0);
    send('b');
    await turn();
    log.appends[1]!.lose();
    send('c');
    await pause();
    log.reopens[0]!.answer({ state: 'new-session' });
    await turn();
    expect(rejectedWith(SendOutcomeUnknownError)).toEqual(['b']);
    log.store(2);
    await turn();
    expect(stored()).toEqual(['a', 'c']);
  });

  it('opens a new session when the store says it knows none', async () => {
    send('a');
    await turn();
    log.store(0);
    send('b');
    await turn();
    log.appends[1]!.answer({ state: 'new-session' });
    await pause();
    log.reopens[0]!.answer({ state: 'new-session' });
    await turn();
    expect(log.numbers).toEqual(['1:1', '1:2', '2:1']);
    log.store(2);
    await turn();
    expect(stored()).toEqual(['a', 'b']);
  });

  it('opens a new epoch when the store is behind what it had acknowledged', async () => {
    // A store that lost its last second still knows the session, at an older number: every call is a gap for it.
    send('a');
    await turn();
    log.store(0);
    send('b');
    await turn();
    log.appends[1]!.answer({ state: 'gap' });
    await pause();
    expect(log.reopens).toHaveLength(1);
    log.reopens[0]!.answer({ state: 'open', answers: [] });
    await turn();
    expect(log.numbers.at(-1)).toBe('2:1');
    log.store(log.appends.length - 1);
    await turn();
    expect(stored()).toEqual(['a', 'b']);
  });

  it('asks with a newer epoch each time, so that an older answer cannot be taken for it', async () => {
    send('a');
    await turn();
    log.appends[0]!.lose();
    await pause();
    log.reopens[0]!.lose();
    await pause();
    expect(log.reopens.map(({ call }) => call.epoch)).toEqual([2, 3]);
    expect(log.reopens[1]!.call.asked).toEqual([{ epoch: 1, number: 1 }]);
  });

  it('asks what became of a call that was fenced', async () => {
    send('a');
    await turn();
    log.appends[0]!.answer({ state: 'fenced' });
    await pause();
    expect(log.reopens[0]!.call.asked).toEqual([{ epoch: 1, number: 1 }]);
  });

  it('hands everything back in order when the topic moved', async () => {
    send(...many(0, 200));
    await turn();
    send('after');
    log.appends[0]!.answer({ state: 'moved', generation: 2 });
    log.appends[1]!.answer({ state: 'moved', generation: 2 });
    await pause();
    expect(moved).toEqual([[...many(0, 200), 'after']]);
    expect(appender.idle).toBe(true);
  });

  it('learns what became of a lost call before it hands the rest back', async () => {
    send(...many(0, 200));
    await turn();
    log.appends[0]!.lose();
    log.appends[1]!.answer({ state: 'moved', generation: 2 });
    await pause();
    expect(moved).toEqual([]);
    log.reopens[0]!.answer({
      state: 'open',
      answers: [many(0, 100).map((_, i) => ({ state: 'stored', offset: `1-${i}` }))],
    });
    await turn();
    expect(stored()).toEqual(many(0, 100));
    expect(moved).toEqual([many(100, 100)]);
  });

  it('answers each message of a call by its own result', async () => {
    send('a', 'c', 'd');
    await turn();
    log.appends[0]!.answer({
      state: 'appended',
      repeat: false,
      results: [
        { state: 'stored', offset: '1-1' },
        { state: 'duplicate', messageId: 'first', offset: '1-0' },
        { state: 'scheduled', dueAt: 5 },
      ],
    });
    await turn();
    expect(outcomes.get('a')).toMatchObject({ state: 'stored', offset: '1-1', duplicate: false });
    expect(outcomes.get('c')).toMatchObject({ messageId: 'first', duplicate: true, offset: '1-0' });
    expect(outcomes.get('d')).toMatchObject({ state: 'scheduled', offset: null });
  });

  it('calls none a duplicate that finds itself, stored by a try before', async () => {
    send('a');
    await turn();
    const results = [{ state: 'duplicate', messageId: 'a', offset: '1-0' } as const];
    log.appends[0]!.answer({ state: 'appended', repeat: false, results });
    await turn();
    expect(outcomes.get('a')).toMatchObject({ messageId: 'a', duplicate: false, offset: '1-0' });
  });

  it('leaves nobody waiting whom the store does not answer, also when it is asked again', async () => {
    const [only] = log.stored({ entries: [{}] } as never);
    send('a', 'b');
    await turn();
    log.appends[0]!.answer({ state: 'appended', results: [only!], repeat: true });
    await turn();
    send('c', 'd');
    await turn();
    log.appends[1]!.lose();
    await pause();
    log.reopens[0]!.answer({ state: 'open', answers: [[only!]] });
    await turn();
    expect(stored()).toEqual(['a', 'c']);
    expect(rejectedWith(SendOutcomeUnknownError)).toEqual(['b', 'd']);
    expect(log.appends).toHaveLength(2);
  });

  it('is idle once every send was answered', async () => {
    let idle = false;
    send('a');
    void appender.whenIdle().then(() => (idle = true));
    await turn();
    expect(idle).toBe(false);
    log.store(0);
    await turn();
    expect(idle).toBe(true);
  });

  it('answers everything when it is closed, and sends nothing more', async () => {
    send('a');
    await turn();
    send('b');
    appender.close();
    expect(rejectedWith(SendOutcomeUnknownError)).toEqual(['a']);
    expect(rejectedWith(SendFailedError)).toEqual(['b']);
    log.appends[0]!.lose();
    send('c');
    await clock.advance(60_000);
    expect(rejectedWith(SendFailedError)).toEqual(['b', 'c']);
    expect([log.appends.length, log.reopens.length]).toEqual([1, 0]);
    expect(clock.armed).toBe(0);
  });
});
