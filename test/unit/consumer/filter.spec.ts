import { headers, InvalidOptionsError, type MessageFilter, selector, tags } from 'nestjs-rivulet';
import { WantedShare } from '../../../lib/core/consumer/wanted-share.js';
import { TestBed } from '../../../lib/testing/test-bed.js';

const ORDERS = { topic: 'orders', group: 'billing' } as const;

describe('a subscription with a filter', () => {
  let bed: TestBed;
  let handled: unknown[];
  let filtered: string[];

  beforeEach(async () => {
    bed = await TestBed.open({ settings: { topics: { queues: 2 } } });
    handled = [];
    filtered = [];
    bed.rivulet.events.on('filtered', ({ key }) => filtered.push(key!));
  });
  afterEach(() => bed.close());

  const subscribe = (filter: MessageFilter, options: object = {}): Promise<void> =>
    bed.subscribe({
      ...ORDERS,
      filter,
      handler: ({ body }) => handled.push(body),
      ...options,
    });
  const lag = (): Promise<number[]> =>
    Promise.all(
      [0, 1].map(async (queue) => {
        const { undelivered, inFlight, waiting, deadLetters } = await bed.stores.deliveries.lag({
          ...ORDERS,
          queue,
        });
        return undelivered! + inFlight + waiting + deadLetters;
      }),
    );

  it.each<[name: string, filter: MessageFilter]>([
    ['tags', tags('paid || sent')],
    ['a selector', selector("cents > 100 AND TAGS <> 'created'")],
    ['headers', headers({ cents: 500 })],
  ])('gets what %s want, and settles the rest', async (_, filter) => {
    await subscribe(filter);
    await bed.publish('orders', 'wanted', { tag: 'paid', key: 'w', properties: { cents: 500 } });
    await bed.publish('orders', 'other', { tag: 'created', key: 'o', properties: { cents: 50 } });
    await bed.publish('orders', 'bare', { key: 'b' });
    await bed.advance(100);
    expect(handled).toEqual(['wanted']);
    expect(filtered.toSorted()).toEqual(['b', 'o']);
    expect(await lag()).toEqual([0, 0]);
  });

  it('keeps the order of what it wants, when it is ordered', async () => {
    await subscribe(tags('paid || sent'), { ordered: true });
    for (const [i, tag] of ['paid', 'created', 'sent', 'created', 'paid'].entries())
      await bed.publish('orders', i, { tag, key: String(i), messageGroup: 'g' });
    await bed.advance(5_000);
    expect(handled).toEqual([0, 2, 4]);
    expect(filtered.toSorted()).toEqual(['1', '3']);
    expect(await lag()).toEqual([0, 0]);
    const other = await bed.sibling();
    await expect(
      other.subscribe({ ...ORDERS, ordered: true, filter: tags('paid') }),
    ).rejects.toThrow(/registered as ordered with the filter tags paid \|\| sent/);
    await other.close();
  });

  it('looks into no body, and makes no dead letter, of what it does not want', async () => {
    const strange = { name: 'strange', encode: () => 'x', decode: () => 'x' };
    const other = await bed.sibling({ settings: { codec: strange } });
    await other.publish('orders', 1, { tag: 'created', key: 'strange' });
    await bed.publish('orders', 2, { tag: 'created', key: 'late', ttlMs: 1_000 });
    await bed.advance(2_000);
    await subscribe(tags('paid'));
    await bed.advance(100);
    expect(filtered.toSorted()).toEqual(['late', 'strange']);
    expect(await bed.deadLetters('orders', 'billing')).toEqual([]);
    await other.close();
  });

  it('keeps no slot from others for it', async () => {
    let finish = (): void => {};
    await subscribe(tags('paid'), {
      concurrency: 2,
      handler: () => new Promise<void>((resolve) => (finish = resolve)),
    });
    await bed.publish('orders', 'slow', { tag: 'paid' });
    for (let i = 0; i < 500; i++)
      await bed.publish('orders', i, { tag: 'created', key: String(i) });
    await bed.advance(1_000);
    expect(filtered).toHaveLength(500);
    expect(await lag()).toEqual(expect.arrayContaining([0, 1]));
    finish();
  });

  it('is refused when it differs from its group, unless the filter is being changed', async () => {
    await subscribe(tags('paid'));
    const same = await bed.sibling();
    await same.subscribe({ ...ORDERS, filter: tags(' paid ') });
    const without = await bed.sibling();
    const refusal = without.subscribe(ORDERS);
    await expect(refusal).rejects.toThrow(InvalidOptionsError);
    await expect(refusal).rejects.toThrow(
      /registered as unordered with the filter tags paid, this handler is unordered without a filter; .* set allowFilterChange/,
    );
    const changing = await bed.sibling();
    await changing.subscribe({ ...ORDERS, filter: tags('sent'), allowFilterChange: true });
    await Promise.all([same, without, changing].map((sibling) => sibling.close()));
  });

  it('retries what an earlier filter accepted', async () => {
    await subscribe(tags('paid'), {
      handler: () => {
        throw new Error('not yet');
      },
    });
    const retried = bed.rivulet.events.next('retried');
    const { messageId } = await bed.publish('orders', 'a', { tag: 'paid' });
    await bed.advance(10);
    await retried;
    const changed = await bed.sibling();
    bed.crash();
    await changed.subscribe({ ...ORDERS, filter: tags('sent'), allowFilterChange: true });
    await bed.advance(60_000);
    expect(await changed.settled(messageId)).toMatchObject({ state: 'acked', attempt: 2 });
    await changed.close();
  });

  it('handles what an operator redrives, whatever the filter is now', async () => {
    await bed.subscribe({
      ...ORDERS,
      retry: { maxAttempts: 1 },
      handler: () => {
        throw new Error('never');
      },
    });
    const { messageId, queue } = await bed.publish('orders', 'a', { tag: 'paid' });
    await bed.settled(messageId);
    await bed.close();
    const changed = await bed.sibling();
    await changed.subscribe({ ...ORDERS, filter: tags('sent'), allowFilterChange: true });
    const ref = { ...ORDERS, queue };
    const [letter] = await changed.stores.deadLetters.list(ref, { count: 1 });
    await changed.stores.deadLetters.redrive(ref, letter!.id);
    expect(await changed.settled(messageId)).toMatchObject({ state: 'acked', attempt: 1 });
    await changed.close();
  });
});

describe('what a filter makes of reads', () => {
  it('asks for more while little is wanted, within limits', () => {
    const share = new WantedShare();
    expect(share.toRead(5)).toBe(5);
    for (let i = 0; i < 20; i++) share.note({ read: 5, wanted: 0 });
    expect(share.toRead(1)).toBe(64);
    expect(share.toRead(5)).toBe(256);
    expect(share.toRead(500)).toBe(500);
  });

  it('asks for as much as there are slots once everything is wanted', () => {
    const share = new WantedShare();
    share.note({ read: 100, wanted: 0 });
    share.note({ read: 100, wanted: 100 });
    expect(share.toRead(5)).toBe(5);
    share.note({ read: 0, wanted: 0 });
    expect(share.toRead(5)).toBe(5);
  });
});
