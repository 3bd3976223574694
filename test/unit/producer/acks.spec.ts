import type { Acks } from '../../../lib/core/message/acks.js';
import {
  SendFailedError,
  SendOutcomeUnknownError,
  StoreRefusedError,
} from '../../../lib/core/message/errors.js';
import { levelReached, strongestAcks, wantedAcks } from '../../../lib/core/producer/wanted-acks.js';
import { type AcksReached, NO_DISK_ACKS } from '../../../lib/core/store/message-log.js';
import { AppenderBed } from './appender-bed.js';

describe('acks', () => {
  let bed: AppenderBed;

  beforeEach(() => void (bed = new AppenderBed()));

  function send(body: string, acks?: Acks): void {
    bed.appender.enqueue(bed.pending(body, { acks }));
  }

  async function reach(n: number, reached?: AcksReached): Promise<void> {
    const { call } = bed.log.appends[n]!;
    bed.log.appends[n]!.answer({
      state: 'appended',
      results: bed.log.stored(call),
      repeat: false,
      reached,
    });
    await bed.turn();
  }

  it('waits for the strongest of a batch, wherever it stands', async () => {
    send('two', { replicas: 2 });
    send('one', { replicas: 1 });
    await bed.turn();
    expect(bed.log.appends[0]!.call.acks).toMatchObject({ replicas: 2 });
    await reach(0, { replicas: 2, disk: false });
  });

  it('costs what is sent later, and asks for nothing, none of its speed', async () => {
    send('one', { replicas: 1 });
    await bed.turn();
    await reach(0, { replicas: 1, disk: false });
    bed.log.mostUnderWay = 0;
    for (let call = 1; call <= 2; call++) {
      for (let i = 0; i < 64; i++) send(`plain ${call}/${i}`);
      await bed.turn();
    }
    expect(bed.log.mostUnderWay).toBe(2);
    await reach(1);
    await reach(2);
  });

  it('waits for the strongest of a batch, and tells each send what was reached', async () => {
    send('plain');
    send('one', { replicas: 1, timeoutMs: 500 });
    send('two', { replicas: 2, timeoutMs: 200 });
    await bed.turn();
    expect(bed.log.appends[0]!.call.acks).toEqual({ disk: false, replicas: 2, timeoutMs: 500 });
    await reach(0, { disk: false, replicas: 1 });
    expect(bed.outcomes.get('plain')).toMatchObject({ acks: { replicas: 1 } });
    expect(bed.outcomes.get('one')).toMatchObject({ acks: { replicas: 1 } });
    expect(bed.outcomes.get('two')).toBeInstanceOf(SendOutcomeUnknownError);
    expect((bed.outcomes.get('two') as Error).message).toMatch(/is stored .*1 of 2 replicas/);
  });

  it('asks for nothing more than memory unless told to', async () => {
    send('a');
    send('b', 'memory');
    await bed.turn();
    expect(bed.log.appends[0]!.call.acks).toBeUndefined();
    await reach(0);
    expect(bed.outcomes.get('b')).toMatchObject({ acks: 'memory' });
  });

  it('has no other call under way with one that waits', async () => {
    const many = (prefix: string): string[] => Array.from({ length: 200 }, (_, i) => prefix + i);
    for (const body of many('plain')) send(body);
    await bed.turn();
    const plainCalls = bed.log.appends.length;
    expect(plainCalls).toBeGreaterThan(1);
    for (const body of many('disk')) send(body, 'disk');
    await bed.turn();
    for (let i = 0; i < plainCalls; i++) {
      expect(bed.log.appends).toHaveLength(plainCalls);
      await reach(i);
    }
    expect(bed.log.appends).toHaveLength(plainCalls + 1);
    await reach(plainCalls, { disk: true, replicas: 0 });
    expect(bed.log.appends).toHaveLength(plainCalls + 2);
    await reach(plainCalls + 1, { disk: true, replicas: 0 });
    expect(bed.outcomes.get('disk199')).toMatchObject({ acks: 'disk' });
  });

  it('refuses only what asked for a disk that cannot tell', async () => {
    send('disk', 'disk');
    send('plain');
    await bed.turn();
    bed.log.appends[0]!.fail(new StoreRefusedError('no WAITAOF', { reason: NO_DISK_ACKS }));
    await bed.clock.advance(1_000);
    expect(bed.outcomes.get('disk')).toBeInstanceOf(SendFailedError);
    await reach(1);
    expect(bed.log.bodies(1)).toEqual(['plain']);
    expect(bed.outcomes.get('plain')).toMatchObject({ acks: 'memory' });
  });

  it('asks again how far it is stored after a lost reply', async () => {
    send('a', { replicas: 1, timeoutMs: 500 });
    await bed.turn();
    bed.log.appends[0]!.lose();
    await bed.clock.advance(1_000);
    const { acks } = bed.log.reopens[0]!.call;
    expect(acks).toEqual({ disk: false, replicas: 1, timeoutMs: 500 });
    const answers = [bed.log.stored(bed.log.appends[0]!.call)];
    bed.log.reopens[0]!.answer({ state: 'open', answers, reached: { disk: false, replicas: 0 } });
    await bed.turn();
    expect(bed.outcomes.get('a')).toBeInstanceOf(SendOutcomeUnknownError);
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
