import { Settler } from '../../../lib/core/consumer/settler.js';
import { StoreRefusedError, StoreUnavailableError } from '../../../lib/core/message/errors.js';
import type {
  DeliveryStore,
  SettleItem,
  SettleReply,
} from '../../../lib/core/store/delivery-store.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';

describe('Settler', () => {
  let clock: ManualClock;
  let calls: string[][];
  let answers: ((items: readonly SettleItem[]) => SettleReply[])[];
  let settler: Settler;
  let done: Record<string, string>;
  let troubles: number;

  beforeEach(() => {
    clock = new ManualClock();
    calls = [];
    answers = [];
    done = {};
    troubles = 0;
    const deliveries = {
      settle: async (_ref: unknown, _consumer: string, items: readonly SettleItem[]) => {
        calls.push(items.map(({ offset }) => offset));
        const answer = answers.shift() ?? ((some) => some.map(() => 'settled' as const));
        return answer(items);
      },
    } as unknown as DeliveryStore;
    settler = new Settler({
      ref: { topic: 'orders', queue: 0, group: 'billing' },
      consumer: 'me',
      deliveries,
      clock,
      onTrouble: () => (troubles += 1),
    });
  });

  function settle(...offsets: string[]): void {
    for (const offset of offsets)
      settler.add({
        offset,
        deliveryCount: 1,
        settlement: { kind: 'ack' },
        answered(answer) {
          expect(done[offset]).toBeUndefined();
          done[offset] = answer;
        },
      });
  }
  const refuse = (reason: string) => (): never => {
    throw new StoreRefusedError(reason, { reason });
  };
  const lose = (): never => {
    throw new StoreUnavailableError('the reply was lost');
  };

  it('sends those of one event-loop turn together', async () => {
    settle('a', 'b', 'c');
    expect(settler.pending).toBe(3);
    await clock.settle();
    expect(calls).toEqual([['a', 'b', 'c']]);
    expect(done).toEqual({ a: 'settled', b: 'settled', c: 'settled' });
    expect(settler.pending).toBe(0);
  });

  it('sends those that wait with a read that begins', async () => {
    settle('a', 'b');
    settler.flush();
    expect(calls).toEqual([['a', 'b']]);
    await clock.settle();
    expect(calls).toHaveLength(1);
    expect(done).toEqual({ a: 'settled', b: 'settled' });
  });

  it('cuts a turn into calls of at most 200', async () => {
    settle(...Array.from({ length: 450 }, (_, i) => String(i)));
    await clock.settle();
    expect(calls.map((call) => call.length)).toEqual([200, 200, 50]);
  });

  it('tells each its own reply', async () => {
    answers = [() => ['settled', 'stale']];
    settle('a', 'b');
    await clock.settle();
    expect(done).toEqual({ a: 'settled', b: 'stale' });
  });

  it('asks again until a lost reply comes', async () => {
    answers = [lose, lose, lose];
    settle('a');
    await clock.advance(2_000);
    expect(calls).toEqual([['a'], ['a'], ['a'], ['a']]);
    expect([done.a, troubles]).toEqual(['settled', 3]);
  });

  it('takes for settled what is stale when it is asked again after a lost reply', async () => {
    answers = [lose, () => ['stale', 'settled'], () => ['stale']];
    settle('a', 'b');
    await clock.advance(1_000);
    settle('c');
    await clock.advance(1_000);
    expect(done).toEqual({ a: 'settled', b: 'settled', c: 'stale' });
  });

  it('takes it so, too, where the call was taken apart between the two', async () => {
    answers = [lose, refuse('OOM'), () => ['stale'], () => ['settled']];
    settle('a', 'b');
    await clock.advance(1_000);
    expect(done).toEqual({ a: 'settled', b: 'settled' });
  });

  it('does not hold up what comes later', async () => {
    answers = [lose];
    settle('a');
    await clock.settle();
    settle('b');
    await clock.settle();
    expect(done).toEqual({ b: 'settled' });
    await clock.advance(1_000);
    expect(done).toEqual({ a: 'settled', b: 'settled' });
  });

  it('takes a refused call apart, so that one that cannot be settled stops nobody', async () => {
    const refuseB = (items: readonly SettleItem[]): SettleReply[] =>
      items.some(({ offset }) => offset === 'b') ? refuse('OOM')() : items.map(() => 'settled');
    answers = Array.from({ length: 20 }, () => refuseB);
    settle('a', 'b', 'c');
    await clock.settle();
    expect(done).toEqual({ a: 'settled', c: 'settled' });
    expect(calls.slice(0, 4)).toEqual([['a', 'b', 'c'], ['a'], ['b'], ['c']]);
    await clock.advance(60_000);
    expect(done.b).toBe('settled');
    expect(settler.pending).toBe(0);
  });

  it('does not take a call apart that never left', async () => {
    answers = [refuse('NOT_SENT')];
    settle('a', 'b');
    await clock.advance(1_000);
    expect(calls).toEqual([
      ['a', 'b'],
      ['a', 'b'],
    ]);
  });

  it('gives up what is left when it is closed, once each', async () => {
    answers = Array.from({ length: 100 }, () => lose);
    settle('a');
    await clock.settle();
    settle('b');
    settler.close();
    settle('c');
    await clock.advance(10_000);
    expect(done).toEqual({ a: 'given-up', b: 'given-up', c: 'given-up' });
    expect([settler.pending, clock.armed]).toEqual([0, 0]);
  });
});
