import { encodeReceipt } from '../../../lib/core/message/receipt-packet.js';
import type { SendResult } from '../../../lib/core/message/message.js';
import { Receipts } from '../../../lib/core/producer/receipts.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';
import { MemoryStores } from '../../../lib/testing/memory-stores.js';

const SENT = { topic: 'orders', queue: 0 } as SendResult;
const idOf = (n: number): string => `00000000-0000-7000-8000-${String(n).padStart(12, '0')}`;

describe('Receipts', () => {
  it('keeps none that nobody will ask for, however many sends overlap', async () => {
    const clock = new ManualClock();
    const stores = new MemoryStores({ clock });
    const errors: unknown[] = [];
    const receipts = new Receipts({
      ...{ replies: stores.replies, deliveries: stores.deliveries, topics: stores.topics, clock },
      limits: { maxReceipts: 100, maxInboxBytes: 1_000_000 },
      onError: (error) => errors.push(error),
    });
    let endOfLast = (): void => {};
    for (let n = 0; n < 50; n++) {
      const before = endOfLast;
      let address = '';
      const collected = receipts.collect({ groups: ['billing'], timeoutMs: 60_000 }, (to) => {
        address = to;
        return new Promise((resolve) => {
          endOfLast = () => resolve({ ...SENT, messageId: idOf(n) });
        });
      });
      await clock.settle();
      // The one before ends only now: a send is always under way.
      before();
      await clock.settle();
      if (n === 0) continue;
      for (const group of ['billing', 'mail'])
        await stores.replies.reply(
          address,
          encodeReceipt({ messageId: idOf(n - 1), group, outcome: { state: 'handled' } }),
        );
      await clock.settle();
      collected.catch(() => undefined);
    }
    expect(errors).toEqual([]);
    expect(receipts.kept).toBeLessThanOrEqual(2);
    // Of all those that were answered none is remembered.
    expect(receipts.waitedFor).toBe(0);
    endOfLast();
    await receipts.close();
  });

  it('remembers none of those whose time is up', async () => {
    const clock = new ManualClock();
    const stores = new MemoryStores({ clock });
    const receipts = new Receipts({
      ...{ replies: stores.replies, deliveries: stores.deliveries, topics: stores.topics, clock },
      limits: { maxReceipts: 10, maxInboxBytes: 1_000 },
      onError: (error) => {
        throw error;
      },
    });
    const late = [1, 1, 2].map((n) =>
      receipts.collect({ groups: ['billing'], timeoutMs: 1_000 }, () =>
        Promise.resolve({ ...SENT, messageId: idOf(n) }),
      ),
    );
    const all = Promise.allSettled(late);
    await clock.settle();
    expect(receipts.waitedFor).toBe(2);
    await clock.advance(1_000);
    await all;
    expect(receipts.waitedFor).toBe(0);
    await receipts.close();
  });

  it('has no more sends wait than may, and refuses a further one before it is sent', async () => {
    const clock = new ManualClock();
    const stores = new MemoryStores({ clock });
    const receipts = new Receipts({
      ...{ replies: stores.replies, deliveries: stores.deliveries, topics: stores.topics, clock },
      limits: { maxReceipts: 1, maxInboxBytes: 1_000 },
      onError: (error) => {
        throw error;
      },
    });
    const wanted = { groups: ['billing'], timeoutMs: 1_000 };
    const first = receipts.collect(wanted, () => Promise.resolve({ ...SENT, messageId: idOf(1) }));
    first.catch(() => undefined);
    await clock.settle();
    const send = (): Promise<SendResult> => Promise.resolve({ ...SENT, messageId: idOf(2) });
    const refused = receipts.collect(wanted, () => {
      throw new Error('it was sent');
    });
    await expect(refused).rejects.toMatchObject({
      code: 'LIMIT_REACHED',
      limit: 'requests.maxReceipts',
    });
    await clock.advance(1_000);
    await expect(first).rejects.toMatchObject({ code: 'RECEIPT_TIMEOUT' });
    const next = receipts.collect(wanted, send);
    next.catch(() => undefined);
    await clock.advance(1_000);
    await expect(next).rejects.toMatchObject({ code: 'RECEIPT_TIMEOUT' });
    await receipts.close();
  });
});
