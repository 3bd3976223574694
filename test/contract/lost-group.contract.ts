import { type OpenHarness, useHarness } from './harness.js';
import { BILLING, declare, join, numbered, publishTexts, QUEUE, texts } from './messages.js';

export function describeLostGroup(open: OpenHarness): void {
  describe('TopicRegistry: a group that was lost', () => {
    const h = useHarness(open);
    beforeEach(() => declare(h.stores));

    it('goes on from where it first began, never from the end', async () => {
      await publishTexts(h.stores, ['before']);
      await join(h.stores, 'billing', 'latest');
      await publishTexts(h.stores, numbered(3));
      const consumer = h.consumer(BILLING, 'c');
      await consumer.ack(...(await consumer.read()));
      await h.tamper.dropGroup(BILLING);
      const reply = await h.stores.topics.joinGroup('orders', {
        group: 'billing',
        mode: 'unordered',
        filterDigest: '',
        from: 'latest',
      });
      expect(reply).toEqual({ state: 'joined', created: false, recreated: [QUEUE] });
      expect(texts(await consumer.read())).toEqual(numbered(3));
      const again = await h.stores.topics.joinGroup('orders', {
        group: 'billing',
        mode: 'unordered',
        filterDigest: '',
        from: 'latest',
      });
      expect(again).toEqual({ state: 'joined', created: false, recreated: [] });
    });

    it('hands out again what had been waiting, once, and without its old record', async () => {
      await join(h.stores, 'billing');
      await publishTexts(h.stores, ['a', 'b']);
      const consumer = h.consumer(BILLING, 'c');
      const [a] = await consumer.read();
      await consumer.retry(a!, 0, 'old');
      await consumer.retry(await consumer.claimOne(), 0, 'older');
      await h.tamper.dropGroup(BILLING);
      await join(h.stores, 'billing');
      const entries = await consumer.read();
      expect(texts(entries)).toEqual(['a', 'b']);
      expect((await consumer.claim({ suspect: true })).entries).toEqual([]);
      await consumer.retry(entries[0]!, 0, 'new');
      expect(await consumer.claimOne()).toMatchObject({ attempt: 2, history: 'new' });
    });

    it('keeps its dead letters', async () => {
      await join(h.stores, 'billing');
      await publishTexts(h.stores, ['a']);
      const consumer = h.consumer(BILLING, 'c');
      await consumer.deadLetter(await consumer.readOne());
      await h.tamper.dropGroup(BILLING);
      await join(h.stores, 'billing');
      expect(await h.stores.deadLetters.count(BILLING)).toBe(1);
    });
  });
}
