import { RejectMessageError } from '../../../lib/core/consumer/handler-errors.js';
import { tags } from '../../../lib/core/filter/message-filter.js';
import type { SendOptions, SendResult } from '../../../lib/core/message/message.js';
import type { ReceiptTimeoutError } from '../../../lib/core/producer/receipt.js';
import { consume, type OpenAdminBed, useBed } from '../inspect/bed.js';

/** What a sender is told about its message, whatever the store. */
export function describeReceipts(where: string, open: OpenAdminBed): void {
  describe(`a receipt ${where}`, () => {
    const bed = useBed(open, { topics: { queues: 2 } });
    const send = (groups: string[], timeoutMs = 30_000): Promise<SendResult> => {
      const receipt = { groups, timeoutMs };
      return bed.rivulet.producer.send('orders', { id: 1 }, { receipt });
    };

    it('says what became of the message in each group that was named', async () => {
      await consume(bed, () => {}, 'billing');
      await consume(
        bed,
        () => {
          throw new RejectMessageError('no such street');
        },
        'shipping',
      );
      let attempts = 0;
      bed.rivulet.subscribe({
        topic: 'orders',
        group: 'mail',
        origin: 'a test',
        ordered: true,
        retry: { backoff: { fromMs: 1, jitter: 0 } },
        handler: () => {
          attempts += 1;
          if (attempts === 1) throw new Error('not yet');
        },
      });
      bed.rivulet.subscribe({
        topic: 'orders',
        group: 'vip',
        origin: 'a test',
        filter: tags('vip'),
        handler: () => {},
      });
      await bed.until(bed.rivulet.consume());
      const sent = await bed.until(send(['billing', 'shipping', 'mail', 'vip']));
      expect(sent).toMatchObject({
        state: 'stored',
        outcomes: {
          billing: { state: 'handled' },
          shipping: { state: 'dead-lettered', reason: 'no such street' },
          mail: { state: 'handled' },
          vip: { state: 'filtered' },
        },
      });
      expect(Object.keys(sent.outcomes!)).toEqual(['billing', 'shipping', 'mail', 'vip']);
      expect(attempts).toBe(2);
    });

    it('that does not come in time says what is known, and the message stays where it is', async () => {
      await consume(bed, () => {}, 'billing');
      let release = (): void => {};
      await consume(bed, () => new Promise<void>((resolve) => (release = resolve)), 'slow');
      // Nobody waits for this one: it is not told of.
      await consume(bed, () => {}, 'unasked');
      const sent = send(['billing', 'slow', 'nobody'], 3_000);
      const error = await bed.until(sent.catch((e: unknown) => e));
      expect(error).toMatchObject({
        code: 'RECEIPT_TIMEOUT',
        sent: { state: 'stored' },
        outcomes: { billing: { state: 'handled' } },
        missing: ['slow', 'nobody'],
      });
      expect(Object.keys((error as ReceiptTimeoutError).outcomes)).toEqual(['billing']);
      expect((error as Error).message).toMatch(
        /slow \(in its queue 0 undelivered, 1 in hand, .*nobody \(has not subscribed to the topic\); billing: handled/,
      );
      const acked = bed.rivulet.events.next('acked', ({ group }) => group === 'slow');
      release();
      await bed.until(acked);
    });

    it('comes from another process, each to whoever asked', async () => {
      const other = await bed.another();
      other.subscribe({ topic: 'orders', group: 'billing', origin: 'a test', handler: () => {} });
      await bed.until(other.consume());
      const sent = await bed.until(
        Promise.all(Array.from({ length: 20 }, () => send(['billing']))),
      );
      expect(sent.every(({ outcomes }) => outcomes?.['billing']?.state === 'handled')).toBe(true);
    });

    it('reaches every sender of a message that a dedup id made one, each for as long as it waits', async () => {
      let release = (): void => {};
      const released = new Promise<void>((resolve) => (release = resolve));
      await consume(bed, () => {}, 'mail');
      await consume(bed, () => released, 'billing');
      const again = (groups: string[], timeoutMs = 30_000): Promise<SendResult> => {
        const receipt = { groups, timeoutMs };
        return bed.rivulet.producer.send('orders', 1, { dedupId: 'one', receipt });
      };
      const mailed = bed.rivulet.events.next('acked', ({ group }) => group === 'mail');
      const first = again(['billing', 'mail']);
      first.catch(() => undefined);
      await bed.until(mailed);
      await expect(bed.until(again(['billing'], 500))).rejects.toMatchObject({
        code: 'RECEIPT_TIMEOUT',
      });
      const second = again(['mail', 'billing']);
      second.catch(() => undefined);
      await bed.until(again(['mail']));
      release();
      const outcomes = { billing: { state: 'handled' }, mail: { state: 'handled' } };
      expect(await bed.until(first)).toMatchObject({ duplicate: false, outcomes });
      expect(await bed.until(second)).toMatchObject({ duplicate: true, outcomes });
    });

    it('costs nothing where none is asked for', async () => {
      const replies: unknown[] = [];
      const reply = bed.stores.replies.reply.bind(bed.stores.replies);
      bed.stores.replies.reply = (...args) => {
        replies.push(args);
        return reply(...args);
      };
      await consume(bed, () => {}, 'billing');
      const acked = bed.rivulet.events.next('acked');
      expect(await bed.until(bed.rivulet.producer.send('orders', 1))).not.toHaveProperty(
        'outcomes',
      );
      await bed.until(acked);
      expect(replies).toEqual([]);
    });

    it('is refused where it cannot come, or cannot be meant', async () => {
      const wrong = { receipt: { groups: [], timeout: 5 } } as unknown as SendOptions;
      await expect(bed.rivulet.producer.send('orders', 1, wrong)).rejects.toMatchObject({
        problems: [
          expect.stringContaining('did you mean "timeoutMs"'),
          expect.stringContaining('receipt.groups must be a list'),
          expect.stringContaining('receipt.timeoutMs must be'),
        ],
      });
      const receipt = { groups: ['billing'], timeoutMs: 10 };
      const set = [{ topic: 'orders', body: 1, receipt }];
      await expect(bed.rivulet.sets.send(set)).rejects.toThrow('receipt cannot be waited for');
      await expect(bed.rivulet.requester.request('orders', 1, { receipt })).rejects.toThrow(
        'its answer says what became of it',
      );
    });
  });
}
