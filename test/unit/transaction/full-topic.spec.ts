import type { RivuletSettingsInput } from '../../../lib/core/settings.js';
import type { TopicSettings } from '../../../lib/core/store/topic-registry.js';
import { TestBed } from '../../../lib/testing/test-bed.js';

/** What `whenFull` makes of messages of transactions that do not fit. */
describe('a transaction whose topic is full', () => {
  let bed: TestBed;
  const open = async (
    settings: Partial<TopicSettings>,
    transactions: RivuletSettingsInput['transactions'] = {},
  ): Promise<void> => {
    bed = await TestBed.open({ settings: { transactions } });
    await bed.stores.topics.declare('orders', { queues: 1, maxLength: 4, ...settings });
    for (const body of ['a', 'b', 'c']) await bed.publish('orders', body);
  };
  afterEach(() => bed.close());
  const place = async (...bodies: string[]): Promise<void> => {
    const placed = bed.rivulet.transactions.run(async (tx: { set(key: string, to: 1): void }) => {
      tx.set('order', 1);
      for (const body of bodies) await bed.publish('orders', body);
    });
    placed.catch(() => undefined);
    await bed.advance(1_000);
    return placed;
  };
  const bodies = async (): Promise<unknown[]> => (await bed.sent('orders')).map(({ body }) => body);

  it('takes the place of messages that every group has settled', async () => {
    await open({});
    await bed.subscribe({ topic: 'orders', group: 'billing' });
    await bed.advance(100);
    await place('d', 'e');
    expect(await bodies()).toEqual(['d', 'e']);
  });

  it('is rolled back when nothing may give way, and nothing does', async () => {
    await open({});
    await expect(place('d', 'e')).rejects.toMatchObject({ code: 'TOPIC_FULL' });
    expect(bed.database.get('order')).toBeUndefined();
    await place('d');
    expect(await bodies()).toEqual(['a', 'b', 'c', 'd']);
  });

  it.each(['half', 'outbox'] as const)(
    'takes the place of the oldest, and of no more than it needs, with store "%s"',
    async (store) => {
      await open({ whenFull: 'drop-oldest' }, { store });
      await bed.stores.topics.joinGroup('orders', {
        group: 'billing',
        mode: 'unordered',
        filterDigest: '',
        from: 'earliest',
      });
      const made = bed.rivulet.events.next('made-room');
      await place('d', 'e', 'f');
      expect(await bodies()).toEqual(['c', 'd', 'e', 'f']);
      expect(await made).toMatchObject({ topic: 'orders', dropped: 2, deadLetters: 2 });
      expect(
        (await bed.deadLetters('orders', 'billing')).map(({ message }) => message?.body),
      ).toEqual(['a', 'b']);
    },
  );

  it('drops nothing for messages that will never fit', async () => {
    await open({ whenFull: 'drop-oldest' });
    await expect(place('1', '2', '3', '4', '5')).rejects.toMatchObject({ code: 'TOPIC_FULL' });
    expect(await bodies()).toEqual(['a', 'b', 'c']);
  });

  describe('and which may wait', () => {
    it('is stored as soon as consumers have made room', async () => {
      await open({ whenFull: 'wait' }, { halfTimeoutMs: 1_000 });
      const placed = place('d', 'e');
      await bed.advance(300);
      expect(await bodies()).toEqual(['a', 'b', 'c']);
      await bed.subscribe({ topic: 'orders', group: 'billing' });
      await bed.advance(700);
      await placed;
      expect(bed.database.get('order')).toBe(1);
    });

    it('is rolled back when there was none in time: rows of the database are locked meanwhile', async () => {
      await open({ whenFull: 'wait' }, { halfTimeoutMs: 200 });
      await expect(place('d', 'e')).rejects.toMatchObject({ code: 'TOPIC_FULL' });
      expect(bed.database.get('order')).toBeUndefined();
      expect(await bodies()).toEqual(['a', 'b', 'c']);
    });

    it('waits as long as a send when it has no database', async () => {
      await open({ whenFull: 'wait' });
      bed.rivulet.checks.answer('place', () => 'unknown', 'Orders.wasPlaced');
      await bed.publish('orders', 'd');
      const preparing = bed.rivulet.halfFirst.prepare('orders', 'e', { name: 'place' });
      await bed.advance(5_000);
      await bed.subscribe({ topic: 'orders', group: 'billing' });
      await bed.advance(1_000);
      await (await preparing).commit();
      expect(await bodies()).toEqual(['e']);
    });
  });
});
