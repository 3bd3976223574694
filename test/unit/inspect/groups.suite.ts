import { GroupNotFoundError, InUseError } from '../../../lib/inspect/errors.js';
import { consume, type OpenAdminBed, publish, useBed } from './bed.js';

export function describeGroupAdmin(open: OpenAdminBed): void {
  describe('groups', () => {
    const bed = useBed(open, { topics: { queues: 2 } });

    it('lists what members agree on', async () => {
      await consume(bed, () => {});
      expect(await bed.admin.listGroups('orders')).toEqual([
        { group: 'billing', mode: 'unordered', filterDigest: '' },
      ]);
    });

    it('counts what is in each state, per queue and in total', async () => {
      // `later` exists and does not read; `billing` handles one message for ever.
      await bed.admin.createTopic('orders', { queues: 2 });
      const join = { mode: 'unordered', filterDigest: '', from: 'earliest' } as const;
      await bed.stores.topics.joinGroup('orders', { group: 'later', ...join });
      let release = (): void => {};
      const begun = bed.rivulet.events.next('delivered');
      await consume(bed, () => new Promise<void>((resolve) => (release = resolve)));
      await publish(bed, 'a', { queue: 1 });
      await bed.until(begun);

      expect(await bed.admin.describeGroup('orders', 'billing')).toMatchObject({
        group: 'billing',
        topic: 'orders',
        mode: 'unordered',
        total: { undelivered: 0, inFlight: 1, waiting: 0, held: 0, deadLetters: 0, lag: 1 },
        members: [{ member: bed.rivulet.member, alive: true }],
      });
      const later = await bed.admin.describeGroup('orders', 'later');
      expect(later.total).toMatchObject({ undelivered: 1, inFlight: 0, lag: 1 });
      expect(later.queues.map(({ queue, undelivered }) => [queue, undelivered])).toEqual([
        [0, 0],
        [1, 1],
      ]);
      expect(later.members).toEqual([]);
      release();
      await bed.until(bed.rivulet.events.next('acked'));
    });

    it('gives a number nobody can tell as unknown, never as 0', async () => {
      await consume(bed, () => {});
      const { lag } = bed.stores.deliveries;
      bed.stores.deliveries.lag = async (ref) => ({
        ...(await lag.call(bed.stores.deliveries, ref)),
        ...(ref.queue === 1 && { undelivered: null }),
      });
      const { queues, total } = await bed.admin.describeGroup('orders', 'billing');
      expect(queues.map(({ undelivered }) => undelivered)).toEqual([0, null]);
      expect(total).toMatchObject({ undelivered: null, lag: null, inFlight: 0 });
    });

    it('leaves no trace of the question who is alive', async () => {
      await consume(bed, () => {});
      const acked = bed.rivulet.events.next('acked');
      await publish(bed, 'a');
      await bed.until(acked);
      await bed.admin.describeGroup('orders', 'billing');
      const { members } = await bed.stores.members.beat(bed.rivulet.member);
      expect(members.map(({ member }) => member)).toEqual([bed.rivulet.member]);
    });

    it('deletes a group nobody lives in', async () => {
      await bed.admin.createTopic('orders');
      const join = { mode: 'unordered', filterDigest: '', from: 'earliest' } as const;
      await bed.stores.topics.joinGroup('orders', { group: 'old', ...join });
      expect(await bed.admin.deleteGroup('orders', 'old')).toBe(true);
      expect(await bed.admin.deleteGroup('orders', 'old')).toBe(false);
      expect(await bed.admin.listGroups('orders')).toEqual([]);
    });

    it('does not delete a group with living members, unless forced to', async () => {
      await consume(bed, () => {});
      const acked = bed.rivulet.events.next('acked');
      await publish(bed, 'a');
      await bed.until(acked);
      await expect(bed.admin.deleteGroup('orders', 'billing')).rejects.toThrow(InUseError);
      expect(await bed.admin.listGroups('orders')).toHaveLength(1);
      expect(await bed.admin.deleteGroup('orders', 'billing', { force: true })).toBe(true);
    });

    it('sees a living member that waits for its first message', async () => {
      await consume(bed, () => {});
      const { members } = await bed.admin.describeGroup('orders', 'billing');
      expect(members).toEqual([{ member: expect.any(String), alive: true }]);
      await expect(bed.admin.deleteGroup('orders', 'billing')).rejects.toThrow(InUseError);
    });

    it('sees a living member among more of them than a beat shows', async () => {
      await consume(bed, () => {});
      const { members } = bed.stores;
      const { now } = await members.beat(bed.rivulet.member);
      // As a beat answers where ten thousand others have been silent for longer.
      members.beat = async () => ({ now, members: [{ member: 'silent', beatAt: 0 }] });
      await expect(bed.admin.deleteGroup('orders', 'billing')).rejects.toThrow(
        /is being consumed by .* Nothing was done: stop them first/,
      );
    });

    it('names the groups there are when one is missing', async () => {
      await consume(bed, () => {});
      const asked = bed.admin.describeGroup('orders', 'biling');
      await expect(asked).rejects.toThrow(GroupNotFoundError);
      await expect(asked).rejects.toThrow(/groups: billing/);
    });

    it('refuses names and options that cannot be meant, all at once', async () => {
      await expect(bed.admin.describeGroup('a b', 'STREAMS')).rejects.toMatchObject({
        problems: [
          expect.stringContaining('topic must be'),
          expect.stringContaining('group must not be the Redis word'),
        ],
      });
      await expect(
        bed.admin.deleteGroup('orders', '', { forse: true } as object),
      ).rejects.toMatchObject({
        problems: [
          expect.stringContaining('group must be 1 to 120'),
          expect.stringContaining('did you mean "force"'),
        ],
      });
    });
  });
}
