import { storedAt } from '../../lib/core/message/offset.js';
import { TopicNotFoundError } from '../../lib/core/message/errors.js';
import type { GroupInfo, GroupJoin } from '../../lib/core/store/topic-registry.js';
import { type OpenHarness, useHarness } from './harness.js';
import { AUDIT, BILLING, declare, join, publishTexts, QUEUE, texts } from './messages.js';

const GROUP: GroupInfo = { group: 'billing', mode: 'unordered', filterDigest: 'f1' };

export function describeJoinGroup(open: OpenHarness): void {
  describe('TopicRegistry.joinGroup', () => {
    const h = useHarness(open);
    const joinAs = (facts: Partial<GroupJoin>) =>
      h.stores.topics.joinGroup('orders', { ...GROUP, from: 'earliest', ...facts });
    const read = async () => texts(await h.consumer(BILLING, 'c').read());
    beforeEach(() => declare(h.stores));

    it('makes the group known', async () => {
      expect(await joinAs({})).toEqual({ state: 'joined', created: true, recreated: [] });
      expect(await h.stores.topics.groups('orders')).toEqual([GROUP]);
      expect(await h.stores.topics.groups('nowhere')).toEqual([]);
    });

    it('makes the group known in every queue', async () => {
      await h.stores.topics.declare('wide', { queues: 8 });
      await h.stores.topics.joinGroup('wide', { ...GROUP, from: 'latest' });
      const queues = Array.from({ length: 8 }, (_, queue) => ({ topic: 'wide', queue }));
      for (const ref of queues) await publishTexts(h.stores, [`q${ref.queue}`], ref);
      const entries = await h.consumer({ ...BILLING, topic: 'wide' }, 'c').read({ queues });
      expect(entries).toHaveLength(8);
    });

    it('begins before the first message with "earliest"', async () => {
      await publishTexts(h.stores, ['old']);
      await join(h.stores, 'billing', 'earliest');
      await publishTexts(h.stores, ['new']);
      expect(await read()).toEqual(['old', 'new']);
    });

    it('begins behind the newest message with "latest"', async () => {
      await publishTexts(h.stores, ['old']);
      await join(h.stores, 'billing', 'latest');
      await publishTexts(h.stores, ['new']);
      expect(await read()).toEqual(['new']);
    });

    it('begins with the first message stored at or after a date', async () => {
      await publishTexts(h.stores, ['old']);
      await h.advance(10);
      const [offset] = await publishTexts(h.stores, ['at']);
      await h.advance(10);
      await publishTexts(h.stores, ['after']);
      await join(h.stores, 'billing', new Date(storedAt(offset!)));
      expect(await read()).toEqual(['at', 'after']);
    });

    it('reads everything from a date long ago, and nothing old from a date to come', async () => {
      await publishTexts(h.stores, ['old']);
      await join(h.stores, 'billing', new Date(0));
      await join(h.stores, 'audit', new Date(h.now() + 86_400_000));
      expect(await read()).toEqual(['old']);
      expect(await h.consumer(AUDIT, 'c').read()).toEqual([]);
    });

    it('leaves a group that exists where it stands', async () => {
      await joinAs({});
      await publishTexts(h.stores, ['a', 'b', 'c']);
      await h.consumer(BILLING, 'c').readOne();
      const again = await h.stores.topics.joinGroup('orders', { ...GROUP, from: 'latest' });
      expect(again).toEqual({ state: 'joined', created: false, recreated: [] });
      expect(await read()).toEqual(['b', 'c']);
    });

    it('creates a group once when several join at the same time', async () => {
      const other = await h.sibling();
      const replies = await Promise.all(
        [h.stores, other, h.stores, other].map((stores) =>
          stores.topics.joinGroup('orders', { ...GROUP, from: 'earliest' }),
        ),
      );
      expect(replies.every(({ state }) => state === 'joined')).toBe(true);
      expect(replies.some((reply) => reply.state === 'joined' && reply.recreated.length > 0)).toBe(
        false,
      );
      expect(await h.stores.topics.groups('orders')).toEqual([GROUP]);
    });

    it('refuses a member with another mode or filter, and changes nothing', async () => {
      await joinAs({});
      expect(await joinAs({ mode: 'ordered' })).toEqual({ state: 'conflict', registered: GROUP });
      expect(await joinAs({ filterDigest: 'f2' })).toEqual({
        state: 'conflict',
        registered: GROUP,
      });
      expect(await joinAs({ filterDigest: '' })).toEqual({ state: 'conflict', registered: GROUP });
      expect(await joinAs({ mode: 'ordered', allowFilterChange: true })).toEqual({
        state: 'conflict',
        registered: GROUP,
      });
      expect(await h.stores.topics.groups('orders')).toEqual([GROUP]);
    });

    it('refuses a member of an ordered group that keeps something else in order, until the group is made anew', async () => {
      const ordered = { mode: 'ordered', orderedBy: 'message-group' } as const;
      const byQueue = { mode: 'ordered', orderedBy: 'queue' } as const;
      await joinAs(ordered);
      const conflict = { state: 'conflict', registered: { ...GROUP, ...ordered } };
      expect(await joinAs(byQueue)).toEqual(conflict);
      expect(await joinAs({ ...byQueue, allowFilterChange: true })).toEqual(conflict);
      expect(await joinAs(ordered)).toMatchObject({ state: 'joined', created: false });
      expect(await joinAs({})).toMatchObject({ state: 'conflict' });
      await h.stores.topics.removeGroup('orders', 'billing');
      expect(await joinAs(byQueue)).toMatchObject({ state: 'joined', created: true });
      expect(await joinAs(ordered)).toMatchObject({ state: 'conflict' });
    });

    it('accepts another filter when that is allowed, from then on for all', async () => {
      await joinAs({});
      const changed = { ...GROUP, filterDigest: 'f2' };
      expect(await joinAs({ filterDigest: 'f2', allowFilterChange: true })).toMatchObject({
        state: 'joined',
        created: false,
      });
      expect(await h.stores.topics.groups('orders')).toEqual([changed]);
      expect(await joinAs({})).toEqual({ state: 'conflict', registered: changed });
    });

    it('lets groups differ from each other', async () => {
      await joinAs({});
      expect(await joinAs({ group: 'audit', mode: 'ordered', filterDigest: 'f2' })).toMatchObject({
        created: true,
      });
      const groups = await h.stores.topics.groups('orders');
      expect(groups.map(({ group }) => group).sort()).toEqual(['audit', 'billing']);
    });

    it('registers a group that broadcasts, for which nothing is kept', async () => {
      const broadcasting = { ...GROUP, mode: 'broadcasting' } as const;
      const joined = { state: 'joined', created: true, recreated: [] };
      expect(await joinAs({ mode: 'broadcasting' })).toEqual(joined);
      expect(await joinAs({ mode: 'broadcasting' })).toEqual({ ...joined, created: false });
      expect(await joinAs({})).toEqual({ state: 'conflict', registered: broadcasting });
      await publishTexts(h.stores, ['a']);
      await h.advance(10 * 86_400_000);
      expect(await h.stores.log.trim(QUEUE, 1_000)).toBe(1);
      expect(await h.stores.deliveries.lag(BILLING)).toMatchObject({ undelivered: null });
      expect(await h.stores.topics.removeGroup('orders', 'billing')).toBe('removed');
      expect(await joinAs({})).toEqual(joined);
    });

    it('keeps names with special characters apart', async () => {
      const names = ['a', 'A', 'a:b', 'a/b', 'a@b', 'a%b', 'a.b', '~a'.slice(1)];
      for (const group of new Set(names)) {
        await h.stores.topics.joinGroup('orders', { ...GROUP, group, from: 'earliest' });
      }
      await publishTexts(h.stores, ['x']);
      for (const group of new Set(names)) {
        const consumer = h.consumer({ ...QUEUE, group }, 'c');
        await consumer.deadLetter(await consumer.readOne(), group);
      }
      for (const group of new Set(names)) {
        const letters = await h.stores.deadLetters.list({ ...QUEUE, group }, { count: 10 });
        expect(letters.map(({ note }) => note)).toEqual([group]);
      }
    });

    it('refuses a topic that does not exist', async () => {
      const joining = h.stores.topics.joinGroup('nowhere', { ...GROUP, from: 'earliest' });
      await expect(joining).rejects.toBeInstanceOf(TopicNotFoundError);
      expect(await h.stores.topics.list()).toEqual(['orders']);
    });
  });
}
