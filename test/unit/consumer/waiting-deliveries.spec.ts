import { Capacity } from '../../../lib/core/consumer/capacity.js';
import { WaitingDeliveries } from '../../../lib/core/consumer/waiting-deliveries.js';
import { WaitingWatch } from '../../../lib/core/consumer/waiting-watch.js';
import { StoreRefusedError } from '../../../lib/core/message/errors.js';
import type {
  ClaimReply,
  DeliveredEntry,
  DeliveryStore,
} from '../../../lib/core/store/delivery-store.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';

const POLL_MS = 1_000;
const refOf = (queue: number) => ({ topic: 'orders', queue, group: 'billing' });
const entry = (queue: number, offset: string): DeliveredEntry => ({
  topic: 'orders',
  queue,
  offset,
  content: { kind: 'gone' },
  attempt: 2,
  deliveryCount: 2,
  suspect: false,
  history: '',
});

describe('WaitingDeliveries', () => {
  let refs: ReturnType<typeof refOf>[];
  let clock: ManualClock;
  let capacity: Capacity;
  let waiting: WaitingDeliveries;
  let watch: WaitingWatch;
  let left: (number | null)[];
  let watched: number;
  let asked: string[];
  let accepted: string[];
  let ranAlone: string[];
  let errors: number;
  let answers: Map<number, ((claim: { limit: number; suspect: boolean }) => ClaimReply)[]>;
  let answered: Promise<void>;
  let runAlone: (offset: string) => Promise<void>;

  beforeEach(() => {
    refs = [0, 1].map(refOf);
    clock = new ManualClock(0);
    capacity = new Capacity({ limit: 3 });
    asked = [];
    accepted = [];
    ranAlone = [];
    errors = 0;
    answers = new Map();
    answered = Promise.resolve();
    runAlone = () => Promise.resolve();
    left = [null, null];
    watched = 0;
    const deliveries = {
      dueIn: () => {
        watched += 1;
        return Promise.resolve(left);
      },
      claimDue: async (
        { queue }: { queue: number },
        claim: { limit: number; suspect: boolean },
      ): Promise<ClaimReply> => {
        asked.push(`${clock.monotonic()}:${queue}${claim.suspect ? ':suspect' : ''}`);
        const answer = answers.get(queue)?.shift();
        await answered;
        return answer?.(claim) ?? { entries: [], nextDueAt: null, now: clock.now() };
      },
    } as unknown as DeliveryStore;
    watch = new WaitingWatch({
      deliveries,
      clock,
      pollMs: () => POLL_MS,
      onError: () => (errors += 1),
    });
    waiting = new WaitingDeliveries({
      refs,
      consumer: 'me',
      deliveries,
      clock,
      capacity,
      watch,
      fits: () => Infinity,
      isStuck: () => false,
      accept: (entries) => accepted.push(...entries.map(({ offset }) => offset)),
      runAlone: async ({ offset }) => {
        ranAlone.push(offset);
        await runAlone(offset);
      },
      afterSuspects: () => {},
      onError: () => (errors += 1),
    });
  });
  afterEach(() => Promise.all([waiting.stop(), watch.stop()]));

  const reply = (entries: DeliveredEntry[], nextInMs: number | null = null): ClaimReply => ({
    entries,
    nextDueAt: nextInMs === null ? null : clock.now() + nextInMs,
    now: clock.now(),
  });

  it('asks every queue at the start, and then those in which others left something', async () => {
    waiting.start();
    watch.start();
    await clock.advance(1_500);
    left = [null, 300];
    await clock.advance(1_000);
    left = [null, null];
    await clock.advance(5_000);
    expect(asked).toEqual(['0:0', '0:1', '2300:1']);
  });

  const refuse = (): never => {
    throw new StoreRefusedError('no', { reason: 'WRONGTYPE' });
  };

  it('leaves a queue that the store refuses alone for a while, whatever the watch says', async () => {
    answers.set(0, [refuse, refuse]);
    waiting.start();
    watch.start();
    left = [0, null];
    await clock.advance(9_000);
    expect(asked).toEqual(['0:0', '0:1', '5000:0']);
    expect(errors).toBe(2);
    left = [null, null];
    await clock.advance(1_500);
    left = [500, null];
    await clock.advance(1_000);
    expect(asked.slice(3)).toEqual(['10000:0', '11500:0']);
  });

  it('asks a queue that is added at once', async () => {
    waiting.start();
    await clock.advance(100);
    waiting.addQueue();
    refs.push(refOf(2));
    await clock.advance(0);
    expect(asked).toEqual(['0:0', '0:1', '100:2']);
  });

  it('is asked about by the watch until it stops', async () => {
    waiting.start();
    watch.start();
    await clock.advance(POLL_MS);
    const before = watched;
    expect(before).toBeGreaterThan(0);
    await waiting.stop();
    await clock.advance(3 * POLL_MS);
    expect(watched).toBe(before);
  });

  it('asks in time for what is put into a queue that was refused', async () => {
    answers.set(0, [refuse]);
    waiting.start();
    await clock.advance(100);
    waiting.expect(0, 500);
    await clock.advance(1_000);
    expect(asked).toEqual(['0:0', '0:1', '600:0']);
  });

  it('asks a queue when something of it falls due, and only that one', async () => {
    waiting.start();
    await clock.advance(100);
    waiting.expect(1, 250);
    await clock.advance(500);
    expect(asked.slice(2)).toEqual(['350:1']);
  });

  it('asks when the store said that the next one falls due', async () => {
    answers.set(0, [() => reply([entry(0, 'a')], 300)]);
    waiting.start();
    await clock.advance(500);
    expect(asked).toEqual(['0:0', '0:1', '300:0']);
    expect(accepted).toEqual(['a']);
  });

  it('keeps an earlier time when a later one is expected', async () => {
    waiting.start();
    await clock.advance(0);
    waiting.expect(0, 200);
    waiting.expect(0, 600);
    await clock.advance(250);
    expect(asked.slice(2)).toEqual(['200:0']);
  });

  it('asks in time for what is put into a queue while it is asked', async () => {
    waiting.start();
    await clock.advance(0);
    let arrive!: () => void;
    answered = new Promise((resolve) => (arrive = resolve));
    waiting.expect(0, 0);
    await clock.advance(100);
    waiting.expect(0, 400);
    arrive();
    await clock.advance(1_000);
    expect(asked.slice(2)).toEqual(['0:0', '500:0']);
  });

  it('asks for no more than there are free slots, and waits for one', async () => {
    const limits: number[] = [];
    answers.set(0, [
      ({ limit }) => {
        limits.push(limit);
        return reply([]);
      },
    ]);
    for (let i = 0; i < 3; i++) capacity.take();
    waiting.start();
    await clock.advance(500);
    expect(asked).toEqual([]);
    capacity.handled();
    await clock.advance(0);
    expect(limits).toEqual([1]);
  });

  it('runs suspects one after the other, with nothing beside them', async () => {
    const order: string[] = [];
    let end = (): void => {};
    runAlone = (offset) => {
      order.push(offset);
      expect(capacity.hasSlot).toBe(false);
      return new Promise((resolve) => (end = resolve));
    };
    const suspects = ['a', 'b'];
    answers.set(0, [
      () => reply([], 0),
      ...[1, 2].map(() => () => reply([entry(0, suspects.shift()!)], 0)),
    ]);
    capacity.take();
    waiting.start();
    await clock.advance(10);
    expect(ranAlone).toEqual([]);
    capacity.handled();
    await clock.settle();
    expect(ranAlone).toEqual(['a']);
    await clock.advance(200);
    expect(ranAlone).toEqual(['a']);
    end();
    await clock.settle();
    expect(order).toEqual(['a', 'b']);
    end();
    await clock.settle();
    expect(capacity.hasSlot).toBe(true);
  });

  it('goes on with others when the store fails, and asks again', async () => {
    answers.set(0, [
      () => {
        throw new Error('down');
      },
    ]);
    waiting.start();
    await clock.advance(500);
    expect(errors).toBe(1);
    expect(asked.map((call) => call.split(':')[1])).toEqual(['0', '0', '1']);
    expect(capacity.free).toBe(3);
  });

  it('knows whether something is due that only lacks a slot', async () => {
    waiting.start();
    await clock.advance(0);
    expect(waiting.overdue).toBe(false);
    for (let i = 0; i < 3; i++) capacity.take();
    waiting.expect(0, 0);
    await clock.advance(0);
    expect(waiting.overdue).toBe(true);
    capacity.handled();
    await clock.advance(0);
    expect(waiting.overdue).toBe(false);
  });

  it('stops while it waits for a slot, and asks nothing afterwards', async () => {
    for (let i = 0; i < 3; i++) capacity.take();
    waiting.start();
    await clock.settle();
    await waiting.stop();
    for (let i = 0; i < 3; i++) capacity.handled();
    waiting.expect(0, 0);
    await clock.advance(5_000);
    expect(asked).toEqual([]);
    expect(clock.armed).toBe(0);
  });
});
