import type { Rivulet } from '../../../lib/core/rivulet.js';
import { GroupNotFoundError } from '../../../lib/inspect/errors.js';
import { consume, type OpenAdminBed, publish, useBed } from './bed.js';

export function describePauseAdmin(open: OpenAdminBed): void {
  describe('pauses', () => {
    const bed = useBed(open, { topics: { queues: 2 } });
    const subscribe = (rivulet: Rivulet, handled: unknown[]): void =>
      void rivulet.subscribe({
        topic: 'orders',
        group: 'billing',
        origin: 'another process',
        handler: ({ body, attempt }) => void handled.push([body, attempt]),
      });

    it('stop a group in every process, also in one that starts later, until it is resumed', async () => {
      const handled: unknown[] = [];
      const running = await bed.another();
      subscribe(running, handled);
      await bed.until(running.consume());
      await consume(bed, ({ body }) => void handled.push(body));
      const heard = [running, bed.rivulet].map((one) => one.events.next('group-paused'));
      expect(await bed.admin.pauseGroup('orders', 'billing')).toBe(true);
      expect(await bed.admin.pauseGroup('orders', 'billing')).toBe(false);
      await bed.until(Promise.all(heard));
      const late = await bed.another();
      subscribe(late, handled);
      const lateHeard = late.events.next('group-paused');
      await bed.until(late.consume());
      expect(await lateHeard).toEqual({ topic: 'orders', group: 'billing' });
      await publish(bed, 'a');
      const other = bed.rivulet.events.next('acked', ({ group }) => group === 'audit');
      await consume(bed, () => {}, 'audit');
      await bed.until(other);
      expect(handled).toEqual([]);
      expect(await bed.admin.listPausedGroups()).toEqual([
        { topic: 'orders', group: 'billing', since: expect.any(Number) },
      ]);

      const acked = [running, late, bed.rivulet].map((one) =>
        one.events.next('acked', ({ group }) => group === 'billing'),
      );
      expect(await bed.admin.resumeGroup('orders', 'billing')).toBe(true);
      expect(await bed.admin.resumeGroup('orders', 'billing')).toBe(false);
      await bed.until(Promise.race(acked));
      expect(handled).toHaveLength(1);
      expect(await bed.admin.listPausedGroups()).toEqual([]);
    });

    it('are refused for what is neither a topic nor a pattern', async () => {
      await expect(bed.admin.pauseGroup('order*', 'billing')).rejects.toThrow(
        /Topic pattern "order\*": a wildcard is a whole word/,
      );
      expect(await bed.admin.listPausedGroups()).toEqual([]);
    });

    it('are a part of what is said about the group, also those of a pattern that fits its topic', async () => {
      await consume(bed, () => {});
      const paused = async () => (await bed.admin.describeGroup('orders', 'billing')).paused;
      expect(await paused()).toBeNull();
      await bed.admin.pauseGroup('other.*', 'billing');
      await bed.admin.pauseGroup('*', 'audit');
      expect(await paused()).toBeNull();
      await bed.admin.pauseGroup('*', 'billing');
      const since = expect.any(Number);
      expect(await paused()).toEqual({ topic: '*', group: 'billing', since });
      await bed.admin.pauseGroup('orders', 'billing');
      await bed.admin.resumeGroup('*', 'billing');
      expect(await paused()).toEqual({ topic: 'orders', group: 'billing', since });
      await bed.admin.resumeGroup('orders', 'billing');
      expect(await paused()).toBeNull();
    });

    it('do not end the pause of one process', async () => {
      await consume(bed, () => {});
      bed.rivulet.pause('orders', 'billing');
      const paused = bed.rivulet.events.next('group-paused');
      await bed.admin.pauseGroup('orders', 'billing');
      await bed.until(paused);
      const resumed = bed.rivulet.events.next('group-resumed');
      await bed.admin.resumeGroup('orders', 'billing');
      await bed.until(resumed);
      const delivered: unknown[] = [];
      bed.rivulet.events.on('delivered', (facts) => delivered.push(facts));
      await publish(bed, 'a');
      const other = bed.rivulet.events.next('acked', ({ group }) => group === 'audit');
      await consume(bed, () => {}, 'audit');
      await bed.until(other);
      expect(delivered).toMatchObject([{ group: 'audit' }]);
      const acked = bed.rivulet.events.next('acked', ({ group }) => group === 'billing');
      bed.rivulet.resume('orders', 'billing');
      await bed.until(acked);
    });

    it('stop a subscription to a pattern when one of its topics is named', async () => {
      const handled: unknown[] = [];
      await bed.admin.createTopic('orders.eu');
      bed.rivulet.subscribe({
        topic: 'orders.*',
        group: 'billing',
        origin: 'here',
        handler: ({ body }) => void handled.push(body),
      });
      await bed.until(bed.rivulet.consume());
      const paused = bed.rivulet.events.next('group-paused');
      expect(await bed.admin.pauseGroup('orders.eu', 'billing')).toBe(true);
      expect(await bed.until(paused)).toEqual({ topic: 'orders.*', group: 'billing' });
      await bed.rivulet.producer.send('orders.eu', 'a');
      const other = bed.rivulet.events.next('acked', ({ group }) => group === 'audit');
      await consume(bed, () => {}, 'audit');
      await publish(bed, 'b');
      await bed.until(other);
      expect(handled).toEqual([]);
      const acked = bed.rivulet.events.next('acked', ({ group }) => group === 'billing');
      await bed.admin.resumeGroup('orders.eu', 'billing');
      await bed.until(acked);
      expect(handled).toEqual(['a']);
    });

    it('end with their group, and with its topic', async () => {
      const handled: unknown[] = [];
      const join = { mode: 'unordered', filterDigest: '', from: 'earliest' } as const;
      const pauseBoth = async (): Promise<void> => {
        await bed.admin.createTopic('orders');
        for (const group of ['billing', 'audit']) {
          await bed.stores.topics.joinGroup('orders', { group, ...join });
          await bed.admin.pauseGroup('orders', group);
        }
      };
      await pauseBoth();
      await bed.admin.deleteGroup('orders', 'billing');
      expect(await bed.admin.listPausedGroups()).toMatchObject([{ group: 'audit' }]);
      await pauseBoth();
      await bed.admin.deleteTopic('orders');
      expect(await bed.admin.listPausedGroups()).toEqual([]);
      await bed.admin.createTopic('orders');
      await consume(bed, ({ body }) => void handled.push(body));
      const acked = bed.rivulet.events.next('acked');
      await publish(bed, 'a');
      await bed.until(acked);
      expect(handled).toEqual(['a']);
    });

    it('are refused for a group that does not exist, not for a pattern', async () => {
      await bed.admin.createTopic('orders');
      await expect(bed.admin.pauseGroup('orders', 'nobody')).rejects.toThrow(GroupNotFoundError);
      expect(await bed.admin.pauseGroup('order.#', 'billing')).toBe(true);
      expect(await bed.admin.resumeGroup('order.#', 'billing')).toBe(true);
    });
  });
}
