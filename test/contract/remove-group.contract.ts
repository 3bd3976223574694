import type { GroupInfo } from '../../lib/core/store/topic-registry.js';
import { type OpenHarness, useHarness } from './harness.js';
import { AUDIT, BILLING, declare, join, publishTexts, QUEUE, texts } from './messages.js';

const GROUP: GroupInfo = { group: 'billing', mode: 'unordered', filterDigest: 'f1' };

export function describeRemoveGroup(open: OpenHarness): void {
  describe('TopicRegistry.removeGroup', () => {
    const h = useHarness(open);
    beforeEach(() => declare(h.stores));

    it('forgets progress, retries and dead letters; messages stay', async () => {
      await join(h.stores, 'billing');
      await publishTexts(h.stores, ['a', 'b', 'c']);
      const consumer = h.consumer(BILLING, 'c');
      const [a, b] = await consumer.read();
      await consumer.retry(a!, 0, 'h');
      await consumer.deadLetter(b!);
      expect(await h.stores.topics.removeGroup('orders', 'billing')).toBe('removed');
      expect(await h.stores.topics.groups('orders')).toEqual([]);
      expect(await h.stores.log.extent(QUEUE)).toMatchObject({ length: 3 });

      const reply = await h.stores.topics.joinGroup('orders', { ...GROUP, from: 'earliest' });
      expect(reply).toEqual({ state: 'joined', created: true, recreated: [] });
      expect(await h.stores.deadLetters.count(BILLING)).toBe(0);
      expect((await consumer.claim({ suspect: true })).entries).toEqual([]);
      const entries = await consumer.read();
      expect(texts(entries)).toEqual(['a', 'b', 'c']);
      expect(entries[0]).toMatchObject({ attempt: 1, history: '' });
    });

    it('lets a group of that name begin anew elsewhere', async () => {
      await join(h.stores, 'billing', 'earliest');
      await publishTexts(h.stores, ['a']);
      await h.stores.topics.removeGroup('orders', 'billing');
      await join(h.stores, 'billing', 'latest');
      expect(await h.consumer(BILLING, 'c').read()).toEqual([]);
    });

    it('leaves other groups alone', async () => {
      await join(h.stores, 'billing');
      await join(h.stores, 'audit');
      await publishTexts(h.stores, ['a']);
      await h.stores.topics.removeGroup('orders', 'billing');
      expect(texts(await h.consumer(AUDIT, 'c').read())).toEqual(['a']);
    });

    it('removes what is not there without harm', async () => {
      expect(await h.stores.topics.removeGroup('orders', 'billing')).toBe('unknown');
      expect(await h.stores.topics.removeGroup('nowhere', 'billing')).toBe('unknown');
    });
  });
}
