import { Capacity } from '../../../lib/core/consumer/capacity.js';
import { FetchLoop } from '../../../lib/core/consumer/fetch-loop.js';
import { QueueFaultedError, StoreUnavailableError } from '../../../lib/core/message/errors.js';
import type { DeliveredEntry, GroupReader } from '../../../lib/core/store/delivery-store.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';

interface Read {
  queues: number[];
  perQueue: number;
  blockMs: number;
  leavesNow: boolean | undefined;
}

/** Queues with so many messages each; reads take them, or wait until time or somebody ends the wait. */
describe('FetchLoop', () => {
  let clock: ManualClock;
  let capacity: Capacity;
  let reads: Read[];
  let backlog: number[];
  let failures: unknown[];
  let accepted: number[];
  let errors: unknown[];
  let faults: number[];
  let closed: boolean;
  let loop: FetchLoop;
  let overdue: boolean;
  /** How long each handler takes; undefined: until `finish`. */
  let handlerMs: number | undefined;
  /** Ends the wait of a read. */
  let wake: () => void;
  /** Reads under way, at each time that a reply was accepted. */
  let ahead: number[];
  /** The reader tells of messages when they come, and its promise does not. */
  let tells: boolean;
  /** What finds no slot waits for one. */
  let isQueueing: boolean;
  /** Handlers have begun, and ended if they take no time. */
  let onAccepted: () => void;

  function open(queues: number, limit: number): void {
    clock = new ManualClock(0);
    capacity = new Capacity({ limit });
    reads = [];
    backlog = Array.from({ length: queues }, () => 0);
    failures = [];
    accepted = [];
    errors = [];
    faults = [];
    closed = false;
    overdue = false;
    handlerMs = undefined;
    ahead = [];
    wake = () => {};
    tells = false;
    isQueueing = false;
    onAccepted = () => {};
    const refs = backlog.map((_, queue) => ({ topic: 'orders', queue }));
    const reader: GroupReader = {
      read: async ({ queues: asked, perQueue, blockMs, signal, leavesNow, onArrival }) => {
        reads.push({ queues: asked.map(({ queue }) => queue), perQueue, blockMs, leavesNow });
        const failure = failures.shift();
        if (failure) throw failure;
        const take = (): DeliveredEntry[] =>
          asked.flatMap(({ queue }) => {
            const count = Math.min(perQueue, backlog[queue]!);
            backlog[queue]! -= count;
            return Array.from({ length: count }, () => ({ queue }) as DeliveredEntry);
          });
        const entries = take();
        if (entries.length > 0 || blockMs === 0 || signal.aborted) return entries;
        await new Promise<void>((resolve) => {
          const end = (): void => {
            if (tells) onArrival?.(take());
            signal.removeEventListener('abort', end);
            resolve();
          };
          wake = end;
          clock.after(blockMs, end);
          signal.addEventListener('abort', end, { once: true });
        });
        return take();
      },
      close: async () => void (closed = true),
    };
    loop = new FetchLoop({
      name: 'fetch',
      queues: () => refs,
      reader,
      capacity,
      clock,
      blockMs: 1_000,
      isStuck: () => false,
      overdue: () => overdue,
      toRead: (free) => free,
      beforeRead: () => {},
      accept: (entries) => {
        ahead.push(reads.length - ahead.length - 1);
        for (const { queue } of entries) {
          accepted.push(queue);
          if (isQueueing) capacity.queue(1);
          else capacity.take();
        }
        if (isQueueing) return startQueued(handlerMs!, entries.length);
        if (handlerMs === 0) finish(entries.length);
        else if (handlerMs !== undefined) clock.after(handlerMs, () => finish(entries.length));
        onAccepted();
      },
      onFault: async ({ queue }) => {
        faults.push(queue);
        return 5_000;
      },
      onRecovered: () => {},
      onError: (error) => errors.push(error),
    });
  }
  afterEach(async () => {
    const stopped = loop.stop();
    await clock.settle();
    await stopped;
  });

  const finish = (count: number): void => {
    for (let i = 0; i < count; i++) {
      capacity.handled();
      capacity.settled();
    }
  };

  /** Each handler takes so long. */
  function startQueued(ms: number, queued: number): void {
    let left = queued;
    const leave = capacity.addLine(() => {
      while (left > 0 && capacity.hasSlot) {
        left -= 1;
        capacity.queue(-1);
        capacity.take();
        clock.after(ms, () => {
          finish(1);
          capacity.serve();
        });
      }
      if (left === 0) leave();
    });
    capacity.serve();
    onAccepted();
  }

  it('waits on all queues together when there is nothing to do', async () => {
    open(3, 6);
    loop.start();
    await clock.advance(2_500);
    expect(reads).toHaveLength(3);
    for (const { queues, blockMs } of reads) {
      expect([...queues].sort()).toEqual([0, 1, 2]);
      expect(blockMs).toBe(1_000);
    }
  });

  it('never takes more than there are slots, and reads nothing while none is free', async () => {
    open(2, 4);
    backlog = [100, 100];
    loop.start();
    await clock.advance(100);
    expect(accepted.length).toBeGreaterThanOrEqual(4);
    expect(accepted.length).toBeLessThanOrEqual(5);
    const before = reads.length;
    await clock.advance(5_000);
    expect(reads).toHaveLength(before);
    finish(accepted.length);
    await clock.advance(10);
    expect(reads.length).toBeGreaterThan(before);
  });

  it.each([1, 3, 50])('empties every queue alike with %i slots', async (limit) => {
    open(4, limit);
    backlog = [200, 200, 200, 200];
    loop.start();
    for (let i = 0; i < 400 && accepted.length < 400; i++) {
      await clock.advance(1);
      finish(capacity.inUse);
    }
    const counts = [0, 1, 2, 3].map((queue) => accepted.filter((one) => one === queue).length);
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(Math.max(limit, 2) * 2);
  });

  it('finds the one queue that has something, soon', async () => {
    open(8, 1);
    loop.start();
    await clock.advance(3_000);
    backlog[5] = 3;
    await clock.advance(1_100);
    expect(accepted).toContain(5);
  });

  it('reads on while handlers run that end soon, until the backlog is read', async () => {
    open(2, 4);
    backlog = [200, 200];
    handlerMs = 1;
    loop.start();
    await clock.advance(400);
    expect(accepted).toHaveLength(400);
    expect(ahead.filter((reading) => reading === 1).length).toBeGreaterThanOrEqual(8);
    expect(Math.max(...ahead)).toBe(1);
    // Handlers would keep them from leaving.
    const leftBefore = reads.filter(({ leavesNow }) => leavesNow);
    expect(leftBefore).toHaveLength(ahead.filter((reading) => reading === 1).length);
    // A fourth more than the slots, when all are free: then the read says whether that was all.
    expect(reads.every(({ perQueue }) => perQueue <= 5)).toBe(true);
  });

  it('reads on while every slot is taken, as long as all in hand will end soon', async () => {
    open(1, 4);
    backlog = [2_000];
    handlerMs = 1;
    isQueueing = true;
    const inHand: number[] = [];
    onAccepted = () => inHand.push(capacity.inHand);
    loop.start();
    await clock.advance(200);
    // Four a millisecond, for five of them.
    expect(Math.max(...inHand)).toBeGreaterThan(12);
    expect(Math.max(...inHand)).toBeLessThanOrEqual(20 + 4);
    expect(reads.every(({ perQueue }) => perQueue <= 5)).toBe(true);
  });

  it('reads nothing more while too many settles are on their way, also when handlers end soon', async () => {
    open(1, 4);
    backlog = [2_000];
    handlerMs = 1;
    isQueueing = true;
    let before: number | undefined;
    onAccepted = () => {
      const isReading = reads.length > ahead.length;
      if (before !== undefined || !isReading || capacity.inHand > 8) return;
      before = reads.length;
      while (capacity.takesMore) capacity.passed();
      capacity.settled = () => {};
    };
    loop.start();
    await clock.advance(200);
    expect(before).toBeDefined();
    expect(reads).toHaveLength(before!);
  });

  it('reads nothing ahead while deliveries wait for another attempt', async () => {
    open(1, 4);
    backlog = [400];
    handlerMs = 1;
    overdue = true;
    loop.start();
    await clock.advance(1_000);
    expect(accepted).toHaveLength(400);
    expect(Math.max(...ahead)).toBe(0);
  });

  it('reads nothing ahead where something else than slots says when the next may begin', async () => {
    open(1, 4);
    backlog = [400];
    handlerMs = 1;
    Object.defineProperty(capacity, 'isThrottled', { value: true });
    loop.start();
    await clock.advance(400);
    expect(accepted).toHaveLength(400);
    expect(Math.max(...ahead)).toBe(0);
  });

  it('reads nothing ahead for handlers that take longer', async () => {
    open(1, 4);
    backlog = [40];
    handlerMs = 20;
    loop.start();
    await clock.advance(1_000);
    expect(accepted).toHaveLength(40);
    expect(Math.max(...ahead)).toBe(0);
  });

  it('does not take handlers for slow because a turn of the event loop is long', async () => {
    open(4, 16);
    handlerMs = 0;
    const told = clock.monotonic.bind(clock);
    let passedMs = 0;
    clock.monotonic = () => told() + passedMs;
    onAccepted = () => {
      passedMs += 1;
      setImmediate(() => (passedMs += 50));
    };
    loop.start();
    for (let i = 0; i < 20; i++) {
      await clock.advance(1);
      backlog[0] = 3;
      wake();
    }
    await clock.advance(1);
    // Of four queues each a quarter of the slots and of what handlers of this pace free in a moment.
    expect(reads.at(-1)).toMatchObject({ perQueue: 19, blockMs: 1_000 });
  });

  it.each([
    { what: 'more than its share', handlers: 'end soon', ms: 1, most: [12, 20] },
    { what: 'its share', handlers: 'take long', ms: 400, most: [4, 4] },
  ])('asks each queue for $what of the slots when handlers $handlers', async ({ ms, most }) => {
    open(4, 16);
    handlerMs = ms;
    loop.start();
    for (let i = 0; i < 200; i++) {
      backlog[i % 4]! += 12;
      wake();
      await clock.advance(5);
    }
    const waits = reads.filter(({ queues }) => queues.length === 4);
    expect(waits.length).toBeGreaterThan(5);
    const perQueue = Math.max(...waits.map((read) => read.perQueue));
    expect(perQueue).toBeGreaterThanOrEqual(most[0]!);
    expect(perQueue).toBeLessThanOrEqual(most[1]!);
  });

  it('mostly needs one read for each burst if all of them are as large as the free slots', async () => {
    open(1, 100);
    for (let i = 0; i < 64; i++) capacity.take();
    loop.start();
    for (let i = 0; i < 31; i++) {
      await clock.advance(5);
      backlog[0] = 36;
      wake();
      await clock.advance(5);
      finish(36);
    }
    expect(accepted).toHaveLength(31 * 36);
    // After the bursts 1, 3, 6, 11 and 20 it is looked whether there is more; and the last read waits.
    await clock.advance(5);
    expect(reads).toHaveLength(31 + 5 + 1);
    // What is there when nobody looks comes with reads that wait, until the next look.
    backlog[0] = 36 * 20;
    wake();
    while (accepted.length < 36 * 51) {
      await clock.advance(5);
      finish(capacity.inUse - 64);
    }
    const isWaiting = reads.slice(31 + 5, 31 + 5 + 20).map(({ blockMs }) => blockMs > 0);
    expect(isWaiting).toEqual(Array.from({ length: 20 }, (_, i) => i < 6));
    finish(64);
  });

  it('still knows that handlers end soon when nothing has come for a while', async () => {
    open(4, 64);
    handlerMs = 1;
    loop.start();
    for (let i = 0; i < 20; i++) {
      backlog[i % 4]! += 24;
      wake();
      await clock.advance(700);
    }
    expect(accepted).toHaveLength(20 * 24);
    const last = reads.slice(-3);
    expect(last.every(({ queues, perQueue }) => queues.length === 4 && perQueue >= 24)).toBe(true);
  });

  it('accepts what it has read ahead when it is stopped', async () => {
    open(1, 4);
    backlog = [1_000];
    handlerMs = 1;
    loop.start();
    while (!ahead.includes(1)) await clock.advance(1);
    await loop.stop();
    expect(accepted).toHaveLength(1_000 - backlog[0]!);
  });

  it('hands on what comes while it waits at once, and only once', async () => {
    open(2, 4);
    tells = true;
    handlerMs = 0;
    loop.start();
    for (let i = 0; i < 3; i++) {
      await clock.advance(10);
      backlog[i % 2] = 1;
      wake();
      expect(accepted).toHaveLength(i + 1);
    }
    await clock.advance(10);
    expect(accepted).toEqual([0, 1, 0]);
    backlog[1] = 1;
    await loop.stop();
    expect(accepted).toEqual([0, 1, 0, 1]);
  });

  it('leaves half of the slots to deliveries that wait for another attempt', async () => {
    open(1, 10);
    backlog = [100];
    overdue = true;
    loop.start();
    await clock.advance(20);
    expect(accepted.length).toBeLessThan(10);
  });

  it('leaves a queue out that cannot be read, and goes on with the others', async () => {
    open(2, 4);
    backlog = [0, 5];
    failures = [new QueueFaultedError('x', { topic: 'orders', queue: 0, fault: 'wrong-type' })];
    loop.start();
    await clock.advance(2_000);
    expect(faults).toEqual([0]);
    expect(accepted.every((queue) => queue === 1)).toBe(true);
    expect(reads.slice(1).every(({ queues }) => !queues.includes(0))).toBe(true);
    finish(capacity.inUse);
    await clock.advance(4_500);
    expect(reads.at(-1)!.queues).toContain(0);
  });

  it('pauses after a failed read, and tells about it', async () => {
    open(2, 4);
    failures = Array.from({ length: 3 }, () => new StoreUnavailableError('down'));
    loop.start();
    await clock.advance(20);
    expect(errors).toHaveLength(1);
    await clock.advance(2_000);
    expect(errors).toHaveLength(3);
    expect(reads.length).toBeGreaterThan(3);
  });

  it('ends a read that waits when it is stopped', async () => {
    open(2, 4);
    loop.start();
    await clock.advance(10);
    await loop.stop();
    expect([clock.monotonic(), closed]).toEqual([10, true]);
  });
});
