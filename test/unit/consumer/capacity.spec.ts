import { Capacity } from '../../../lib/core/consumer/capacity.js';

const NEVER = new AbortController().signal;

async function isPending(promise: Promise<unknown>): Promise<boolean> {
  const pending = Symbol('pending');
  await new Promise(setImmediate);
  return (await Promise.race([promise, Promise.resolve(pending)])) === pending;
}

describe('Capacity', () => {
  it('is free until as many run as there are slots', () => {
    const capacity = new Capacity({ limit: 2 });
    capacity.take();
    expect([capacity.free, capacity.hasSlot]).toEqual([1, true]);
    capacity.take();
    expect([capacity.free, capacity.hasSlot, capacity.inUse]).toEqual([0, false, 2]);
  });

  it('wakes whoever waits for a slot when a handler ends', async () => {
    const capacity = new Capacity({ limit: 1 });
    capacity.take();
    const free = capacity.whenFree(NEVER);
    expect(await isPending(free)).toBe(true);
    capacity.handled();
    await free;
  });

  it('fetches no more while too many settles are on their way', async () => {
    const capacity = new Capacity({ limit: 1 });
    for (let i = 0; i < 19; i++) {
      capacity.take();
      capacity.handled();
    }
    expect([capacity.free, capacity.takesMore, capacity.hasSlot]).toEqual([0, false, true]);
    const free = capacity.whenFree(NEVER);
    expect(await isPending(free)).toBe(true);
    capacity.settled();
    await free;
  });

  it('keeps slots for a fetch, and takes them back once', () => {
    const capacity = new Capacity({ limit: 5 });
    const giveBack = capacity.reserve(3);
    expect(capacity.free).toBe(2);
    giveBack();
    giveBack();
    expect(capacity.free).toBe(5);
  });

  it('counts what was fetched and waits for a slot', () => {
    const capacity = new Capacity({ limit: 5 });
    capacity.queue(7);
    expect([capacity.free, capacity.hasSlot]).toEqual([0, true]);
    capacity.queue(-7);
    expect(capacity.free).toBe(5);
  });

  it('has no slot while it is held, however often', async () => {
    const capacity = new Capacity({ limit: 5 });
    const release = [capacity.hold(), capacity.hold()];
    release[0]!();
    release[0]!();
    expect([capacity.free, capacity.hasSlot]).toEqual([0, false]);
    const free = capacity.whenFree(NEVER);
    expect(await isPending(free)).toBe(true);
    release[1]!();
    await free;
  });

  it('is idle when nothing runs, settled or not', async () => {
    const capacity = new Capacity({ limit: 2 });
    await capacity.whenIdle(NEVER);
    capacity.take();
    const idle = capacity.whenIdle(NEVER);
    expect(await isPending(idle)).toBe(true);
    capacity.handled();
    await idle;
  });

  it('ends a wait when its signal aborts, and wakes the others later', async () => {
    const capacity = new Capacity({ limit: 1 });
    capacity.take();
    const stop = new AbortController();
    const one = capacity.whenFree(stop.signal);
    const other = capacity.whenFree(NEVER);
    stop.abort();
    await one;
    await capacity.whenFree(stop.signal);
    expect(await isPending(other)).toBe(true);
    capacity.handled();
    await other;
  });
});
