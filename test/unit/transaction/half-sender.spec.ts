import {
  AcksMissedError,
  StoreRefusedError,
  StoreUnavailableError,
} from '../../../lib/core/message/errors.js';
import type { HalfMessageStore } from '../../../lib/core/store/half-message-store.js';
import { StoreTime } from '../../../lib/core/store/store-time.js';
import type { HalfPlace } from '../../../lib/core/transaction/half-place.js';
import { HalfSender } from '../../../lib/core/transaction/half-sender.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';
import { MemoryStores } from '../../../lib/testing/memory-stores.js';
import { halfOf } from '../../contract/halves.js';
import { entryOf, generationOf, logTexts, QUEUE } from '../../contract/messages.js';

const OWNER = { kind: 'database', database: 'db-1', name: 'default' } as const;
const BOARD = 'd:db-1';
/** Between two tries: 5 s, and a quarter more by jitter. */
const LONGEST_PAUSE_MS = 6_250;

describe('HalfSender', () => {
  let clock: ManualClock;
  let stores: MemoryStores;
  let sender: HalfSender;
  let place: HalfPlace;
  let calls: string[];
  let released: number[];
  let told: unknown[];

  /** The store, with what it was asked. */
  function counted(halves: HalfMessageStore): HalfMessageStore {
    return new Proxy(halves, {
      get: (of, name: string) => {
        const method = Reflect.get(of, name) as (...args: unknown[]) => unknown;
        return (...args: unknown[]) => {
          calls.push(name);
          return method.apply(of, args);
        };
      },
    });
  }

  beforeEach(async () => {
    clock = new ManualClock();
    stores = new MemoryStores({ clock });
    calls = [];
    released = [];
    told = [];
    sender = new HalfSender({
      halves: counted(stores.halves),
      clock,
      storeTime: new StoreTime({ clock }),
      noteRelease: (_, at) => void released.push(at),
      onError: (error) => void told.push(error),
    });
    await stores.topics.declare('orders', { queues: 2 });
    place = { ...QUEUE, generation: await generationOf(stores, 'orders'), owner: OWNER };
  });

  const prepare = (half = halfOf(['a']), timeoutMs = 250) => sender.prepare(place, half, timeoutMs);

  it('sends what one turn of the event loop asks of a queue in one call for each kind of move', async () => {
    const halves = Array.from({ length: 200 }, (_, i) => halfOf([`m${i}`]));
    await Promise.all(halves.map((half) => prepare(half)));
    const replies = await Promise.all(halves.map((half) => sender.commit(place, half)));
    expect(new Set(replies.map(({ state }) => state))).toEqual(new Set(['committed']));
    expect(calls).toEqual(['agenda', 'prepare', 'commit']);
    expect(await logTexts(stores)).toEqual(halves.map((_, i) => `m${i}`));
  });

  it('keeps queues, owners and generations apart', async () => {
    const replies = await Promise.all([
      prepare(),
      sender.prepare({ ...place, queue: 1 }, halfOf(['b']), 250),
      sender.prepare({ ...place, generation: 9 }, halfOf(['c']), 250),
      sender.prepare({ ...place, owner: { ...OWNER, database: 'db-2' } }, halfOf(['d']), 250),
    ]);
    expect(replies.map(({ state }) => state)).toEqual([
      'prepared',
      'prepared',
      'moved',
      'prepared',
    ]);
    expect(await stores.halves.list(QUEUE, { count: 9 })).toHaveLength(2);
  });

  it('lists a queue before its first half, and again only now and then', async () => {
    stores.goDown();
    await expect(Promise.all([prepare(), clock.advance(1_000)])).rejects.toThrow(
      StoreUnavailableError,
    );
    expect(calls).not.toContain('prepare');
    stores.comeUp();
    for (let i = 0; i < 9; i++) await prepare();
    expect(await stores.halves.agenda(BOARD).list()).toEqual(['d:db-1/orders/0']);
    calls.length = 0;
    await clock.advance(29_000);
    await prepare();
    expect(calls).toEqual(['prepare']);
    await clock.advance(1_000);
    await prepare();
    expect(calls.sort()).toEqual(['agenda', 'prepare', 'prepare']);
  });

  it('lists again, at once, what a part of the store may have forgotten', async () => {
    await prepare();
    calls.length = 0;
    sender.listAgain();
    await clock.settle();
    expect(calls).toEqual(['agenda']);
    await prepare();
    expect(calls).toEqual(['agenda', 'prepare']);
  });

  it('goes on until all of it is listed again, whoever sends nothing meanwhile', async () => {
    const half = halfOf(['b']);
    await Promise.all([prepare(), sender.prepare({ ...place, queue: 1 }, half, 250)]);
    const agenda = stores.halves.agenda(BOARD);
    await clock.advance(half.checkAfterMs);
    const { taken } = await agenda.take({ limit: 2, leaseMs: 1_000 });
    for (const { work, version } of taken) await agenda.finish(work, version, null);
    expect(await agenda.list()).toEqual([]);
    stores.goDown();
    sender.listAgain();
    await clock.advance(10_000);
    expect(told).toHaveLength(1);
    stores.comeUp();
    await clock.advance(LONGEST_PAUSE_MS);
    expect((await agenda.list()).sort()).toEqual(['d:db-1/orders/0', 'd:db-1/orders/1']);
    expect(clock.armed).toBe(0);
  });

  it('does not forget what is not listed again yet, however long that takes', async () => {
    await prepare();
    const agenda = stores.halves.agenda(BOARD);
    await clock.advance(halfOf([]).checkAfterMs);
    const { taken } = await agenda.take({ limit: 1, leaseMs: 1_000 });
    for (const { work, version } of taken) await agenda.finish(work, version, null);
    stores.goDown();
    sender.listAgain();
    await clock.advance(100_000);
    const other = sender.prepare({ ...place, queue: 1 }, halfOf(['b']), 250);
    await Promise.all([expect(other).rejects.toThrow(StoreUnavailableError), clock.advance(1_000)]);
    sender.listAgain();
    stores.comeUp();
    await clock.advance(5_000);
    expect(await agenda.list()).toContain('d:db-1/orders/0');
  });

  it('ends its attempts when it is closed', async () => {
    await prepare();
    stores.goDown();
    sender.listAgain();
    await clock.settle();
    expect(clock.armed).toBe(1);
    sender.close();
    await clock.settle();
    expect(clock.armed).toBe(0);
  });

  it('stores no half in a queue that could not be listed again', async () => {
    await prepare();
    stores.goDown();
    sender.listAgain();
    await clock.settle();
    calls.length = 0;
    await expect(Promise.all([prepare(), clock.advance(1_000)])).rejects.toThrow(
      StoreUnavailableError,
    );
    expect(calls).not.toContain('prepare');
    stores.comeUp();
    await prepare();
    expect(calls.slice(-2)).toEqual(['agenda', 'prepare']);
  });

  it('leaves alone what was not in use for long', async () => {
    await prepare();
    await clock.advance(90_000);
    calls.length = 0;
    sender.listAgain();
    await clock.settle();
    expect(calls).toEqual([]);
  });

  it('asks again when a reply is lost, within its time', async () => {
    const half = halfOf(['a']);
    await prepare();
    stores.loseReplies(3);
    const preparing = prepare(half);
    await clock.advance(200);
    expect(await preparing).toEqual({ id: half.id, state: 'prepared' });
    stores.loseReplies(3);
    const committing = sender.commit(place, half);
    await clock.advance(200);
    expect(await committing).toMatchObject({ state: 'committed' });
    expect(await logTexts(stores)).toEqual(['a']);
  });

  it('ends in its time when the store says nothing at all', async () => {
    await prepare();
    stores.halves.prepare = () => new Promise(() => {});
    stores.halves.commit = () => new Promise(() => {});
    const half = halfOf(['a']);
    const ends = Promise.allSettled([prepare(half), sender.commit(place, half)]);
    await clock.advance(2_000);
    for (const end of await ends)
      expect(end).toMatchObject({ reason: expect.any(StoreUnavailableError) });
    expect(clock.armed).toBe(0);
  });

  it('has the longest time of those who ask for one place in the same turn', async () => {
    await prepare();
    stores.halves.prepare = () => new Promise(() => {});
    const ends = Promise.allSettled([prepare(halfOf(['a']), 1_000), prepare(halfOf(['b']), 100)]);
    let areOver = false;
    void ends.then(() => (areOver = true));
    await clock.advance(999);
    expect(areOver).toBe(false);
    await clock.advance(1);
    expect(await ends).toMatchObject([{ status: 'rejected' }, { status: 'rejected' }]);
  });

  it('does not repeat what time does not heal', async () => {
    await prepare();
    const refusal = new StoreRefusedError('no memory', { reason: 'OOM' });
    stores.halves.prepare = () => Promise.reject(refusal);
    await expect(prepare()).rejects.toBe(refusal);
  });

  it('says that nobody knows when a refusal follows a lost reply', async () => {
    await prepare();
    const answers = [
      new StoreUnavailableError('lost'),
      new StoreRefusedError('no', { reason: 'OOM' }),
    ];
    stores.halves.prepare = () => Promise.reject(answers.shift()!);
    await expect(Promise.all([prepare(), clock.advance(250)])).rejects.toThrow('lost');
  });

  it('says what is known when acks are missed after a lost reply: it is stored', async () => {
    await prepare();
    const missed = new AcksMissedError('missed', {
      missed: '0 of 1 replicas confirmed it in time',
    });
    const answers = [new StoreUnavailableError('lost'), missed];
    stores.halves.prepare = () => Promise.reject(answers.shift()!);
    await expect(Promise.all([prepare(), clock.advance(250)])).rejects.toBe(missed);
  });

  it('notes when delayed messages are due before they are scheduled', async () => {
    const half = halfOf([entryOf('a', { due: { delayMs: 7_000 } }), 'b']);
    await prepare(half);
    expect(released).toEqual([]);
    await sender.commit(place, half);
    expect(released).toEqual([clock.now() + 7_000]);
    await sender.publish(place, halfOf([entryOf('a', { due: { at: clock.now() + 9_000 } })]));
    expect(released).toEqual([clock.now() + 7_000, clock.now() + 9_000]);
  });

  it('sends a large batch in several calls', async () => {
    const large = 'x'.repeat(400_000);
    await Promise.all([1, 2, 3, 4, 5].map(() => prepare(halfOf([large]))));
    expect(calls.filter((call) => call === 'prepare')).toHaveLength(2);
  });
});
