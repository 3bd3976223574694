import { offsetBefore, offsetBeforeTime } from '../../lib/core/message/offset.js';
import { type OpenHarness, useHarness } from './harness.js';
import { AUDIT, BILLING, declare, join, numbered, publishTexts, QUEUE, texts } from './messages.js';

export function describeRewind(open: OpenHarness): void {
  describe('DeliveryStore.rewind', () => {
    const h = useHarness(open);
    const read = async (ref = BILLING) => texts(await h.consumer(ref, 'later').read());
    beforeEach(async () => {
      await declare(h.stores);
      await join(h.stores, 'billing');
    });

    it('hands out again from an offset, the earliest message, or none', async () => {
      const offsets = await publishTexts(h.stores, numbered(4));
      await read();
      const { deliveries } = h.stores;
      expect(await deliveries.rewind(BILLING, offsetBefore(offsets[2]!))).toBe(true);
      expect(await read()).toEqual(['m3', 'm4']);
      await deliveries.rewind(BILLING, '0-0');
      await deliveries.rewind(BILLING, '0-0');
      expect(await read()).toEqual(numbered(4));
      await deliveries.rewind(BILLING, '0-0');
      await deliveries.rewind(BILLING, 'latest');
      expect(await read()).toEqual([]);
      await publishTexts(h.stores, ['new']);
      expect(await read()).toEqual(['new']);
    });

    it('hands out again from a time', async () => {
      await publishTexts(h.stores, ['before']);
      await h.advance(1_000);
      const time = h.now();
      await publishTexts(h.stores, ['at']);
      await h.advance(1_000);
      await publishTexts(h.stores, ['after']);
      await read();
      await h.stores.deliveries.rewind(BILLING, offsetBeforeTime(time));
      expect(await read()).toEqual(['at', 'after']);
    });

    it('leaves whoever is in the group listed there', async () => {
      const { deliveries } = h.stores;
      await deliveries.enroll(BILLING, 'idle');
      await deliveries.rewind(BILLING, '0-0');
      expect(await deliveries.consumers(BILLING)).toEqual(['idle']);
    });

    it('forgets what was in hand or waited, and keeps dead letters', async () => {
      await publishTexts(h.stores, numbered(4));
      const consumer = h.consumer(BILLING, 'c');
      const [a, b, c] = await consumer.read();
      await consumer.retry(a!, 0, 'h');
      await consumer.deadLetter(b!);
      await h.stores.deliveries.rewind(BILLING, offsetBefore(c!.offset));
      expect((await consumer.claim()).entries).toEqual([]);
      expect(await h.stores.deadLetters.count(BILLING)).toBe(1);
      expect(await h.stores.deliveries.lag(BILLING)).toMatchObject({ inFlight: 0, waiting: 0 });
      const again = await h.consumer(BILLING, 'd').read();
      expect(texts(again)).toEqual(['m3', 'm4']);
      expect(again[0]).toMatchObject({ attempt: 1, history: '' });
      expect(await consumer.ack(c!)).toEqual(['stale']);
    });

    it('keeps what it has to hand out again from being trimmed', async () => {
      await publishTexts(h.stores, numbered(2));
      const consumer = h.consumer(BILLING, 'c');
      await consumer.ack(...(await consumer.read()));
      await h.stores.deliveries.rewind(BILLING, '0-0');
      await h.advance(10 * 86_400_000);
      expect(await h.stores.log.trim(QUEUE, 100)).toBe(0);
      await h.tamper.dropGroup(BILLING);
      expect(await h.stores.log.trim(QUEUE, 100)).toBe(0);
      await join(h.stores, 'billing');
      expect(await read()).toEqual(numbered(2));
    });

    it('leaves other groups alone, and makes none', async () => {
      await join(h.stores, 'audit');
      await publishTexts(h.stores, ['a']);
      expect(await read(AUDIT)).toEqual(['a']);
      await h.stores.deliveries.rewind(BILLING, '0-0');
      expect(await read(AUDIT)).toEqual([]);
      const nobody = { ...BILLING, group: 'nobody' };
      expect(await h.stores.deliveries.rewind(nobody, '0-0')).toBe(false);
      expect(await h.stores.deliveries.rewind({ ...nobody, topic: 'nowhere' }, '0-0')).toBe(false);
    });
  });
}
