import type { Acks } from '../../../lib/core/message/acks.js';
import {
  SendFailedError,
  SendOutcomeUnknownError,
  StoreRefusedError,
} from '../../../lib/core/message/errors.js';
import type { SendResult } from '../../../lib/core/message/message.js';
import { PendingSend } from '../../../lib/core/producer/pending-send.js';
import { QueueAppender } from '../../../lib/core/producer/queue-appender.js';
import { levelReached, strongestAcks, wantedAcks } from '../../../lib/core/producer/wanted-acks.js';
import { type AcksReached, NO_DISK_ACKS } from '../../../lib/core/store/message-log.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';
import { ScriptedLog } from './scripted-log.js';

const TIMEOUT_MS = 10_000;

describe('acks', () => {
  let clock: ManualClock;
  let log: ScriptedLog;
  let appender: QueueAppender;
  let outcomes: Map<string, SendResult | Error>;

  beforeEach(() => {
    clock = new ManualClock();
    log = new ScriptedLog();
    outcomes = new Map();
    appender = new QueueAppender({
      topic: 'orders',
      queue: 0,
      generation: 1,
      log,
      clock,
      session: 's',
      batch: { messages: 100, bytes: 10_000 },
      onMoved: () => {},
    });
  });

  function send(body: string, acks?: Acks): void {
    appender.enqueue(
      new PendingSend({
        message: {
          frame: Buffer.from(body),
          messageId: body,
          topic: 'orders',
          acks,
          deadline: clock.monotonic() + TIMEOUT_MS,
          timeoutMs: TIMEOUT_MS,
        },
        route: { by: 'turn' },
        answer: {
          resolve: (result) => outcomes.set(body, result),
          reject: (error) => outcomes.set(body, error),
        },
      }),
    );
  }

  const turn = (): Promise<void> => clock.settle();

  async function reach(n: number, reached?: AcksReached): Promise<void> {
    const { call } = log.appends[n]!;
    log.appends[n]!.answer({
      state: 'appended',
      results: log.stored(call),
      repeat: false,
      reached,
    });
    await turn();
  }

  it('waits for the strongest of a batch, wherever it stands', async () => {
    send('two', { replicas: 2 });
    send('one', { replicas: 1 });
    await turn();
    expect(log.appends[0]!.call.acks).toMatchObject({ replicas: 2 });
    await reach(0, { replicas: 2, disk: false });
  });

  it('costs what is sent later, and asks for nothing, none of its speed', async () => {
    send('one', { replicas: 1 });
    await turn();
    await reach(0, { replicas: 1, disk: false });
    log.mostUnderWay = 0;
    for (let call = 1; call <= 2; call++) {
      for (let i = 0; i < 64; i++) send(`plain ${call}/${i}`);
      await turn();
    }
    expect(log.mostUnderWay).toBe(2);
    await reach(1);
    await reach(2);
  });

  it('waits for the strongest of a batch, and tells each send what was reached', async () => {
    send('plain');
    send('one', { replicas: 1, timeoutMs: 500 });
    send('two', { replicas: 2, timeoutMs: 200 });
    await turn();
    expect(log.appends[0]!.call.acks).toEqual({ disk: false, replicas: 2, timeoutMs: 500 });
    await reach(0, { disk: false, replicas: 1 });
    expect(outcomes.get('plain')).toMatchObject({ acks: { replicas: 1 } });
    expect(outcomes.get('one')).toMatchObject({ acks: { replicas: 1 } });
    expect(outcomes.get('two')).toBeInstanceOf(SendOutcomeUnknownError);
    expect((outcomes.get('two') as Error).message).toMatch(/is stored .*1 of 2 replicas/);
  });

  it('asks for nothing more than memory unless told to', async () => {
    send('a');
    send('b', 'memory');
    await turn();
    expect(log.appends[0]!.call.acks).toBeUndefined();
    await reach(0);
    expect(outcomes.get('b')).toMatchObject({ acks: 'memory' });
  });

  it('has no other call under way with one that waits', async () => {
    const many = (prefix: string): string[] => Array.from({ length: 200 }, (_, i) => prefix + i);
    for (const body of many('plain')) send(body);
    await turn();
    const plainCalls = log.appends.length;
    expect(plainCalls).toBeGreaterThan(1);
    for (const body of many('disk')) send(body, 'disk');
    await turn();
    for (let i = 0; i < plainCalls; i++) {
      expect(log.appends).toHaveLength(plainCalls);
      await reach(i);
    }
    expect(log.appends).toHaveLength(plainCalls + 1);
    await reach(plainCalls, { disk: true, replicas: 0 });
    expect(log.appends).toHaveLength(plainCalls + 2);
    await reach(plainCalls + 1, { disk: true, replicas: 0 });
    expect(outcomes.get('disk199')).toMatchObject({ acks: 'disk' });
  });

  it('refuses only what asked for a disk that cannot tell', async () => {
    send('disk', 'disk');
    send('plain');
    await turn();
    log.appends[0]!.fail(new StoreRefusedError('no WAITAOF', { reason: NO_DISK_ACKS }));
    await clock.advance(1_000);
    expect(outcomes.get('disk')).toBeInstanceOf(SendFailedError);
    await reach(1);
    expect(log.bodies(1)).toEqual(['plain']);
    expect(outcomes.get('plain')).toMatchObject({ acks: 'memory' });
  });

  it('asks again how far it is stored after a lost reply', async () => {
    send('a', { replicas: 1, timeoutMs: 500 });
    await turn();
    log.appends[0]!.lose();
    await clock.advance(1_000);
    const { acks } = log.reopens[0]!.call;
    expect(acks).toEqual({ disk: false, replicas: 1, timeoutMs: 500 });
    const answers = [log.stored(log.appends[0]!.call)];
    log.reopens[0]!.answer({ state: 'open', answers, reached: { disk: false, replicas: 0 } });
    await turn();
    expect(outcomes.get('a')).toBeInstanceOf(SendOutcomeUnknownError);
  });

  it('waits no longer than its send may take, and as long as was said before that', () => {
    const wanted = (timeoutMs?: number): number | undefined =>
      wantedAcks(
        [{ deadline: 1_000, message: { acks: { replicas: 1, ...(timeoutMs && { timeoutMs }) } } }],
        0,
      )?.timeoutMs;
    expect([wanted(), wanted(300), wanted(60_000)]).toEqual([900, 300, 900]);
  });

  it('of messages that share one fate are the strongest, whichever says it, for the longest that is said', () => {
    const [disk, two, one] = [
      'disk',
      { replicas: 2, timeoutMs: 100 },
      { replicas: 1, timeoutMs: 700 },
    ] as const;
    const shared = (...all: (Acks | undefined)[]) => strongestAcks(all.map((acks) => ({ acks })));
    expect(shared('memory', undefined)).toBeUndefined();
    for (const both of [
      [one, two],
      [two, 'memory' as const, one],
    ])
      expect(shared(...both)).toEqual({ disk: false, replicas: 2, timeoutMs: 700 });
    for (const both of [
      [disk, two],
      [two, disk],
    ])
      expect(shared(...both)).toEqual({ disk: true, replicas: 2, timeoutMs: undefined });
  });

  it('never calls a level reached that nobody confirmed', () => {
    expect(levelReached('disk', undefined)).toBeUndefined();
    expect(levelReached('disk', { disk: false, replicas: 9 })).toBeUndefined();
    expect(levelReached({ replicas: 1 }, { disk: true, replicas: 0 })).toBeUndefined();
    expect(levelReached({ replicas: 1 }, { disk: true, replicas: 2 })).toEqual({ replicas: 2 });
    expect(levelReached(undefined, { disk: false, replicas: 0 })).toBe('memory');
  });
});
