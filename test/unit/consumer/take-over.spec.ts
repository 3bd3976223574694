import { StoreRefusedError } from '../../../lib/core/message/errors.js';
import { silentLogger } from '../../../lib/core/runtime/logger.js';
import { TestBed } from '../../../lib/testing/test-bed.js';

const DAY_MS = 86_400_000;
const hang = (): Promise<void> => new Promise(() => {});

describe('take-over', () => {
  let bed: TestBed;
  const others: TestBed[] = [];
  beforeEach(async () => {
    bed = await TestBed.open({ settings: { topics: { queues: 1 } } });
  });
  afterEach(async () => {
    for (const other of others.splice(0)) await other.close();
    await bed.close();
  });
  const another = async (): Promise<TestBed> => {
    const other = await bed.sibling();
    others.push(other);
    return other;
  };

  it('gives what a dead process held to a living one, as the same attempt', async () => {
    await bed.subscribe({ topic: 'orders', group: 'billing', handler: hang });
    const { messageId } = await bed.publish('orders', 'a');
    await bed.nextDelivery('billing');
    const other = await another();
    await other.subscribe({ topic: 'orders', group: 'billing' });
    bed.crash();
    await bed.advance(25_000);
    expect(await other.settled(messageId)).toMatchObject({ state: 'acked', attempt: 1 });
  });

  it('is tried again in a queue that refused it, once that takes it', async () => {
    await bed.subscribe({ topic: 'orders', group: 'billing', handler: hang });
    const { messageId } = await bed.publish('orders', 'a');
    await bed.nextDelivery('billing');
    const other = await another();
    await other.subscribe({ topic: 'orders', group: 'billing' });
    // Where nothing was refused.
    await other.subscribe({ topic: 'orders', group: 'audit' });
    const { deliveries } = other.stores;
    const reclaim = deliveries.reclaim.bind(deliveries);
    let refused = 0;
    deliveries.reclaim = (...args) =>
      args[0].group === 'billing' && ++refused <= 2
        ? Promise.reject(new StoreRefusedError('WRONGTYPE', { reason: 'WRONGTYPE' }))
        : reclaim(...args);
    bed.crash();
    await bed.advance(60_000);
    expect(refused).toBeGreaterThan(2);
    expect(await other.settled(messageId)).toMatchObject({ state: 'acked', attempt: 1 });
  });

  it('gives all that a dead process held, however much that is', async () => {
    const slots = { topic: 'orders', group: 'billing', concurrency: 500 };
    let held = 0;
    await bed.subscribe({ ...slots, handler: () => (held++, hang()) });
    await Promise.all(Array.from({ length: 450 }, (_, i) => bed.publish('orders', i)));
    await bed.advance(1_000);
    expect(held).toBe(450);
    const handled = new Set<unknown>();
    const other = await another();
    await other.subscribe({ ...slots, handler: ({ body }) => void handled.add(body) });
    bed.crash();
    await bed.advance(30_000);
    expect(handled.size).toBe(450);
  });

  it('is told once for each group, with the queues', async () => {
    const warnings: string[] = [];
    const logger = { ...silentLogger, warn: (text: string) => void warnings.push(text) };
    await bed.stores.topics.declare('refunds', { queues: 3 });
    await bed.subscribe({ topic: 'refunds', group: 'billing', handler: hang });
    for (const queue of [0, 2, 2]) await bed.publish('refunds', 'a', { queue });
    for (let held = 0; held < 3; held++) await bed.nextDelivery('billing');
    const other = await bed.sibling({ logger });
    others.push(other);
    await other.subscribe({ topic: 'refunds', group: 'billing' });
    bed.crash();
    await bed.advance(25_000);
    expect(warnings.filter((text) => text.includes('fell silent'))).toEqual([
      expect.stringMatching(
        /^refunds\/billing: consumer m-\S+ fell silent; of what it held, 3 in queues 0, 2 are handed out again\.$/,
      ),
    ]);
  });

  it('answers a request whose first process died, to whoever asked', async () => {
    const serving = { topic: 'orders', group: 'billing', reply: true };
    await bed.subscribe({ ...serving, handler: hang });
    const caller = await another();
    const answer = caller.rivulet.requester.request('orders', 'a', { timeoutMs: 60_000 });
    await bed.nextDelivery('billing');
    const other = await another();
    await other.subscribe({ ...serving, handler: () => 'answered by another' });
    bed.crash();
    await bed.advance(25_000);
    expect(await answer).toBe('answered by another');
  });

  it('does not wait for longer than a dead process may be silent, and two beats', async () => {
    await bed.subscribe({ topic: 'orders', group: 'billing', handler: hang });
    await bed.publish('orders', 'a');
    await bed.nextDelivery('billing');
    const other = await another();
    await other.subscribe({ topic: 'orders', group: 'billing' });
    await bed.advance(7_000);
    bed.crash();
    const diedAt = bed.clock.now();
    let begunAt = 0;
    other.rivulet.events.on('delivered', () => (begunAt = bed.clock.now()));
    await bed.advance(60_000);
    expect(begunAt - diedAt).toBeGreaterThan(10_000);
    expect(begunAt - diedAt).toBeLessThanOrEqual(15_000 + 2 * 5_000 + 1_000);
  });

  it('finds what was held by a process whose group had nobody alive for hours', async () => {
    await bed.subscribe({ topic: 'orders', group: 'billing', handler: hang });
    const { messageId } = await bed.publish('orders', 'a');
    await bed.nextDelivery('billing');
    bed.crash();
    // Another application lives on, without this group, and forgets the dead process after an hour.
    const bystander = await another();
    await bystander.stores.members.leave(bed.rivulet.member);

    const restarted = await another();
    await restarted.subscribe({ topic: 'orders', group: 'billing' });
    await bed.advance(60_000);
    expect(await restarted.settled(messageId)).toMatchObject({ state: 'acked' });
  });

  it('finds what was held by a process that died while nobody at all was alive', async () => {
    await bed.subscribe({ topic: 'orders', group: 'billing', handler: hang });
    const { messageId } = await bed.publish('orders', 'a');
    await bed.nextDelivery('billing');
    bed.crash();
    bed.clock.set(bed.clock.now() + 2 * DAY_MS);
    const restarted = await another();
    await restarted.subscribe({ topic: 'orders', group: 'billing' });
    await bed.advance(60_000);
    expect(await restarted.settled(messageId)).toMatchObject({ state: 'acked' });
  });

  it('finds what was held by a process that vanished from the list of members', async () => {
    await bed.subscribe({ topic: 'orders', group: 'billing', handler: hang });
    const { messageId } = await bed.publish('orders', 'a');
    await bed.nextDelivery('billing');
    const other = await another();
    await other.subscribe({ topic: 'orders', group: 'billing' });
    bed.crash();
    await other.stores.members.leave(bed.rivulet.member);
    await bed.advance(700_000);
    expect(await other.settled(messageId)).toMatchObject({ state: 'acked' });
  });

  it('takes nothing from a living process when another starts', async () => {
    await bed.subscribe({ topic: 'orders', group: 'billing', handler: hang });
    await bed.publish('orders', 'a');
    await bed.nextDelivery('billing');
    const other = await another();
    const reclaimed: unknown[] = [];
    other.rivulet.events.on('reclaimed', (facts) => reclaimed.push(facts));
    await other.subscribe({ topic: 'orders', group: 'billing' });
    await bed.advance(700_000);
    expect(reclaimed).toEqual([]);
  });

  it('takes from nobody when the clock of the store jumps', async () => {
    const other = await another();
    for (const one of [bed, other])
      await one.subscribe({ topic: 'orders', group: 'billing', handler: hang });
    const begun = [bed, other].map((one) => one.rivulet.events.next('delivered'));
    await bed.publish('orders', 'a');
    await Promise.race(begun);
    const reclaimed: unknown[] = [];
    for (const one of [bed, other])
      one.rivulet.events.on('reclaimed', (facts) => reclaimed.push(facts));
    bed.clock.set(bed.clock.now() + DAY_MS);
    await bed.advance(30_000);
    bed.clock.set(bed.clock.now() - 2 * DAY_MS);
    await bed.advance(30_000);
    expect(reclaimed).toEqual([]);
  });

  it('goes on with other messages once the handler of a suspect has had its time', async () => {
    await bed.subscribe({ topic: 'orders', group: 'billing', handler: hang });
    await bed.publish('orders', 'never ends');
    await bed.nextDelivery('billing');
    const other = await another();
    await other.subscribe({
      topic: 'orders',
      group: 'billing',
      handlerTimeoutMs: 1_000,
      handler: ({ body }) => (body === 'never ends' ? hang() : undefined),
    });
    bed.crash();
    await bed.advance(25_000);
    const { messageId } = await other.publish('orders', 'b');
    await bed.advance(5_000);
    expect(await other.settled(messageId)).toMatchObject({ state: 'acked' });
  });

  it('gives what a stopped process never received to others', async () => {
    await bed.subscribe({ topic: 'orders', group: 'billing' });
    const other = await another();
    // The read that is waiting hands the first one out, and nobody hears of it; the next ones likewise.
    const sent: string[] = [];
    for (const body of ['a', 'b', 'c']) {
      bed.stores.loseReplies(1);
      sent.push((await other.publish('orders', body)).messageId);
      await bed.advance(1_000);
    }
    await other.subscribe({ topic: 'orders', group: 'billing' });
    await bed.close();
    await other.advance(10_000);
    for (const messageId of sent)
      expect(await other.settled(messageId)).toMatchObject({ state: 'acked', attempt: 1 });
  });

  it('handles what a reply held that its reader tells to be lost, while the read went well', async () => {
    const { deliveries } = bed.stores;
    const open = deliveries.openReader.bind(deliveries);
    let isLosing = true;
    deliveries.openReader = (group, consumer) => {
      const reader = open(group, consumer);
      const read = reader.read.bind(reader);
      reader.read = async ({ queues, perQueue, blockMs, signal }) => {
        const entries = await read({ queues, perQueue, blockMs, signal });
        if (!isLosing || entries.length === 0) return entries;
        isLosing = false;
        reader.onLostReply?.();
        return [];
      };
      return reader;
    };
    await bed.subscribe({ topic: 'orders', group: 'billing' });
    const { messageId } = await bed.publish('orders', 'a');
    await bed.advance(30_000);
    expect(isLosing).toBe(false);
    expect(await bed.settled(messageId)).toMatchObject({ state: 'acked', attempt: 1 });
  });

  it('tells a process that was silent for too long what it has lost', async () => {
    let signal: AbortSignal | undefined;
    await bed.subscribe({
      topic: 'orders',
      group: 'billing',
      handler: (delivery) => {
        signal = delivery.signal;
        return hang();
      },
    });
    const { messageId } = await bed.publish('orders', 'a');
    await bed.nextDelivery('billing');
    const other = await another();
    await other.subscribe({ topic: 'orders', group: 'billing' });
    const refused = bed.rivulet.events.next('settle-refused');
    bed.stores.goDown();
    await bed.advance(30_000);
    expect(await other.settled(messageId)).toMatchObject({ state: 'acked' });
    bed.stores.comeUp();
    await bed.advance(10_000);
    expect(await refused).toMatchObject({ messageId });
    expect(signal?.aborted).toBe(true);
  });
});
