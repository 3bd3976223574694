import { ClosedError, StoreUnavailableError } from '../../../lib/core/message/errors.js';
import { encodeFrame } from '../../../lib/core/message/wire-format.js';
import type { AppendCall } from '../../../lib/core/store/message-log.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';
import { MemoryStores } from '../../../lib/testing/memory-stores.js';

const QUEUE = { topic: 'orders', queue: 0 };
const BILLING = { ...QUEUE, group: 'billing' };
const never = new AbortController().signal;

function call(number: number): AppendCall {
  const frame = encodeFrame({}, `m${number}`, (target, at) => target.fill(number, at, at + 16));
  return { ...QUEUE, generation: 1, session: 's', epoch: 1, number, entries: [{ frame }] };
}

describe('MemoryStores', () => {
  let clock: ManualClock;
  let stores: MemoryStores;
  const read = (client: MemoryStores, blockMs = 0) =>
    client.deliveries
      .openReader('billing', 'c')
      .read({ queues: [QUEUE], perQueue: 10, blockMs, signal: never });

  beforeEach(async () => {
    clock = new ManualClock();
    stores = new MemoryStores({ clock });
    await stores.topics.declare('orders', { queues: 1 });
    const group = { group: 'billing', mode: 'unordered', filterDigest: '' } as const;
    await stores.topics.joinGroup('orders', { ...group, from: 'earliest' });
  });

  it('go by the time of the machine unless they are given a clock', async () => {
    const before = Date.now();
    const { now } = await new MemoryStores().deliveries.claimDue(BILLING, {
      consumer: 'c',
      limit: 1,
      suspect: true,
    });
    expect(now).toBeGreaterThanOrEqual(before);
  });

  it('do nothing while they are down, and go on when they come up', async () => {
    stores.goDown();
    expect(stores.availability.ready).toBe(false);
    await expect(stores.log.append(call(1))).rejects.toBeInstanceOf(StoreUnavailableError);
    stores.comeUp();
    expect(await stores.log.extent(QUEUE)).toMatchObject({ length: 0 });
    expect(await stores.log.append(call(1))).toMatchObject({ state: 'appended', repeat: false });
  });

  it('go down for one client only', async () => {
    const other = stores.sibling();
    stores.goDown();
    expect(await other.log.append(call(1))).toMatchObject({ state: 'appended' });
    stores.comeUp();
    expect(await stores.log.extent(QUEUE)).toMatchObject({ length: 1 });
  });

  it('tell when they go down and come up, and why', () => {
    const seen: unknown[] = [];
    const off = stores.availability.onChange((ready, error) => seen.push([ready, error?.message]));
    stores.goDown(new Error('cable'));
    stores.goDown();
    stores.comeUp();
    off();
    stores.goDown();
    expect(seen).toEqual([
      [false, 'cable'],
      [true, undefined],
    ]);
  });

  it('end a waiting read when they go down', async () => {
    const reading = read(stores, 60_000);
    await clock.advance(10);
    stores.goDown();
    await expect(reading).rejects.toBeInstanceOf(StoreUnavailableError);
    expect(clock.armed).toBe(0);
  });

  it('act and lose the reply, as often as told', async () => {
    stores.loseReplies(1);
    await expect(stores.log.append(call(1))).rejects.toBeInstanceOf(StoreUnavailableError);
    expect(await stores.log.append(call(1))).toMatchObject({ state: 'appended', repeat: true });
    expect(await stores.log.extent(QUEUE)).toMatchObject({ length: 1 });
  });

  it('give back through renew what a lost reply of a read held', async () => {
    await stores.log.append(call(1));
    stores.loseReplies(1);
    await expect(read(stores)).rejects.toBeInstanceOf(StoreUnavailableError);
    await clock.advance(5_001);
    const renewal = { consumer: 'c', inHand: [], swallowedAfterMs: 5_000 };
    expect(await stores.deliveries.renew(BILLING, renewal)).toEqual({ lost: [], released: 1 });
    const claim = { consumer: 'c', limit: 10, suspect: false };
    const { entries } = await stores.deliveries.claimDue(BILLING, claim);
    expect(entries).toMatchObject([{ attempt: 1, deliveryCount: 2 }]);
  });

  it('lose the reply of a waiting read when it has something to reply', async () => {
    stores.loseReplies(1);
    const reading = read(stores, 60_000);
    await stores.sibling().log.append(call(1));
    await expect(reading).rejects.toBeInstanceOf(StoreUnavailableError);
    expect(await stores.deliveries.lag(BILLING)).toMatchObject({ inFlight: 1 });
  });

  it('open when they come up, and give up when they do not', async () => {
    stores.goDown();
    const inTime = stores.open(1_000);
    await clock.advance(500);
    stores.comeUp();
    await inTime;
    stores.goDown();
    const tooLate = stores.open(1_000).catch((error: unknown) => error);
    await clock.advance(1_000);
    expect(await tooLate).toBeInstanceOf(StoreUnavailableError);
  });

  it('refuse everything once they are closed, other clients go on', async () => {
    const other = stores.sibling();
    await stores.close();
    await expect(stores.topics.list()).rejects.toBeInstanceOf(ClosedError);
    expect(await other.topics.list()).toEqual(['orders']);
  });

  it('share nothing unless told to', async () => {
    expect(await new MemoryStores({ clock }).topics.list()).toEqual([]);
    expect(await new MemoryStores({ clock, shared: stores }).topics.list()).toEqual(['orders']);
  });

  it('let a test tamper while they are down', async () => {
    stores.goDown();
    stores.tamper.addForeign(QUEUE, [Buffer.from('a'), Buffer.from('b')]);
    stores.comeUp();
    expect((await read(stores))[0]?.content).toMatchObject({ kind: 'foreign' });
  });
});
