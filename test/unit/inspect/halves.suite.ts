import { InvalidInputError, TopicNotFoundError } from '../../../lib/core/message/errors.js';
import type { HalfMessages } from '../../../lib/core/store/half-message-store.js';
import { SETS_KEY } from '../../../lib/core/transaction/half-owner.js';
import { HalvesWaitingError, StillCheckedError } from '../../../lib/inspect/errors.js';
import { halfOf, newTransaction } from '../../contract/halves.js';
import { entryOf, generationOf } from '../../contract/messages.js';
import { type OpenAdminBed, useBed } from './bed.js';

const OWNER = 'd:db-1';

/** What `MessageAdmin` promises about transactions that are not decided. */
export function describeHalfAdmin(open: OpenAdminBed): void {
  describe('transactions', () => {
    const bed = useBed(open, { topics: { queues: 2 } });

    async function prepare(
      topic: string,
      queue: number,
      half: HalfMessages,
      owner = OWNER,
    ): Promise<void> {
      await bed.until(bed.stores.topics.declare(topic, { queues: 2 }));
      const generation = await generationOf(bed.stores, topic);
      const call = { topic, queue, owner, generation, halves: [half] };
      expect(await bed.stores.halves.prepare(call)).toMatchObject([{ state: 'prepared' }]);
    }
    const park = (topic: string, queue: number, id: string) =>
      bed.stores.halves.park({ topic, queue, owner: OWNER }, [{ id, reason: 'nobody knows' }]);
    const visible = async (topic: string): Promise<number> =>
      (await bed.admin.describeTopic(topic)).length;

    it('are listed page by page with their messages, all of them or those that are parked', async () => {
      const ids: string[] = [];
      for (const queue of [0, 0, 0, 1, 1]) {
        const half = halfOf([`m${ids.length}`], { name: 'orders-db' });
        await prepare('orders', queue, half);
        ids.push(half.id);
      }
      const found = [];
      for (let next: string | null = '0:'; next !== null;) {
        const page = await bed.admin.listHalves('orders', { after: next, limit: 2 });
        expect(page.halves.length).toBeLessThanOrEqual(2);
        found.push(...page.halves);
        ({ next } = page);
      }
      expect(found.map(({ transactionId }) => transactionId).sort()).toEqual([...ids].sort());
      const first = found.find(({ transactionId }) => transactionId === ids[0]);
      expect(first).toMatchObject({
        topic: 'orders',
        queue: 0,
        name: 'orders-db',
        checks: 0,
        parked: null,
        messages: [{ kind: 'message', message: { topic: 'orders' } }],
      });
      expect(first!.checkAt).toBe(first!.preparedAt + 5_000);

      // Each is larger than that: one to a page.
      const { halves, next } = await bed.admin.listHalves('orders', { maxBytes: 1 });
      expect(halves).toHaveLength(1);
      expect(next).not.toBeNull();
      const rest = await bed.admin.listHalves('orders', { after: next!, maxBytes: 100_000 });
      expect(rest.halves).toHaveLength(4);

      await park('orders', 1, ids[4]!);
      const parked = await bed.admin.listHalves('orders', { state: 'parked' });
      expect(parked).toMatchObject({
        halves: [{ transactionId: ids[4], parked: 'nobody knows', checkAt: null }],
        next: null,
      });
      const waiting = await bed.admin.listHalves('orders', { state: 'waiting' });
      expect(waiting.halves).toHaveLength(4);
      expect(await bed.admin.describeTopic('orders')).toMatchObject({
        length: 0,
        halves: { waiting: 4, parked: 1 },
      });
    });

    it('are found in every topic and decided together', async () => {
      const committed = halfOf(['a', 'b']);
      const dropped = halfOf(['c']);
      for (const half of [committed, dropped]) {
        await prepare('orders', 0, half);
        await prepare('audit', 1, half);
        await park('orders', 0, half.id);
        await park('audit', 1, half.id);
      }
      expect(await bed.admin.findTransaction(committed.id)).toMatchObject([
        { topic: 'audit', queue: 1 },
        { topic: 'orders', queue: 0 },
      ]);
      expect(await bed.admin.commitTransaction(committed.id)).toEqual([
        { topic: 'audit', queue: 1, state: 'committed' },
        { topic: 'orders', queue: 0, state: 'committed' },
      ]);
      expect(await bed.admin.rollbackTransaction(dropped.id)).toMatchObject([
        { state: 'rolled-back' },
        { state: 'rolled-back' },
      ]);
      expect([await visible('orders'), await visible('audit')]).toEqual([2, 2]);
      expect(await bed.admin.findTransaction(dropped.id)).toEqual([]);
      expect(await bed.admin.commitTransaction(dropped.id)).toEqual([]);
    });

    it('are not decided by hand while somebody will be asked, unless forced', async () => {
      const half = halfOf(['a'], { name: 'orders-db' });
      await prepare('orders', 0, half);
      await prepare('audit', 0, half);
      await park('audit', 0, half.id);
      for (const decide of ['commitTransaction', 'rollbackTransaction'] as const) {
        const decided = bed.admin[decide](half.id);
        await expect(decided).rejects.toThrow(StillCheckedError);
        await expect(decided).rejects.toThrow('"orders-db" can still say');
      }
      expect(await visible('audit')).toBe(0);
      await bed.admin.commitTransaction(half.id, { force: true });
      expect([await visible('orders'), await visible('audit')]).toEqual([1, 1]);
    });

    it('of a set are not decided by hand in part, not even by force, while its queue can be asked', async () => {
      const half = halfOf(['a'], { name: 'orders/0' });
      await prepare('audit', 0, half, SETS_KEY);
      for (const decide of ['commitTransaction', 'rollbackTransaction'] as const)
        await expect(bed.admin[decide](half.id, { force: true })).rejects.toThrow(
          StillCheckedError,
        );
      expect(await visible('audit')).toBe(0);
    });

    it('are released in time when a delayed message is committed by hand', async () => {
      const half = halfOf([entryOf('later', { due: { delayMs: 100 } })]);
      await prepare('orders', 0, half);
      await park('orders', 0, half.id);
      const released = bed.rivulet.events.next('released');
      await bed.admin.commitTransaction(half.id);
      expect(await bed.until(released)).toMatchObject({ topic: 'orders', queue: 0, count: 1 });
    });

    it('are checked at once, also parked ones and those whose queue is on no list', async () => {
      const half = halfOf(['a'], { checkAfterMs: 3_600_000 });
      await prepare('orders', 0, half);
      await prepare('orders', 1, half);
      await park('orders', 1, half.id);
      expect(await bed.admin.checkTransaction(half.id)).toBe(2);
      const taken = await bed.stores.halves.agenda(OWNER).take({ limit: 9, leaseMs: 1_000 });
      expect(taken.taken.map(({ work }) => work).sort()).toEqual([
        'd:db-1/orders/0',
        'd:db-1/orders/1',
      ]);
      for (const queue of [0, 1])
        expect(
          await bed.stores.halves.claimDue(
            { topic: 'orders', queue, owner: OWNER },
            { limit: 9, leaseMs: 1_000, frames: false },
          ),
        ).toMatchObject({ halves: [{ id: half.id }] });
      expect(await bed.admin.checkTransaction(newTransaction())).toBe(0);
    });

    it('keep their topic from being deleted, unless forced', async () => {
      await prepare('orders', 1, halfOf(['a']));
      const deleted = bed.admin.deleteTopic('orders');
      await expect(deleted).rejects.toThrow(HalvesWaitingError);
      await expect(deleted).rejects.toThrow('1 waiting, 0 parked');
      const parked = halfOf(['a']);
      await prepare('audit', 1, parked);
      await park('audit', 1, parked.id);
      await expect(bed.admin.deleteTopic('audit')).rejects.toThrow('0 waiting, 1 parked');
      expect(await bed.admin.deleteTopic('orders', { force: true })).toBe(true);
    });

    it('are not asked about with input that cannot be meant', async () => {
      const { admin } = bed;
      await expect(admin.listHalves('nowhere')).rejects.toThrow(TopicNotFoundError);
      const page = { after: 'x', limit: 0, state: 'half' as 'parked' };
      await expect(admin.listHalves('orders', page)).rejects.toThrow(
        /after must be .*; limit must be .*; state must be "waiting" or "parked"/,
      );
      await expect(admin.findTransaction('17')).rejects.toThrow(InvalidInputError);
      await expect(admin.checkTransaction('17')).rejects.toThrow('transactionId must be');
      const forced = { forced: true } as object;
      await expect(admin.commitTransaction(newTransaction(), forced)).rejects.toThrow(
        'did you mean "force"',
      );
    });
  });
}
