import { TopicNotFoundError } from '../../../lib/core/message/errors.js';
import { defineTopic } from '../../../lib/core/message/topic.js';
import { InUseError, TopicExistsError } from '../../../lib/inspect/errors.js';
import { consume, type OpenAdminBed, publish, useBed } from './bed.js';

const NO_HALVES = { waiting: 0, parked: 0 };

export function describeTopicAdmin(open: OpenAdminBed): void {
  describe('topics', () => {
    const bed = useBed(open);

    it('lists them sorted', async () => {
      expect(await bed.admin.listTopics()).toEqual([]);
      await bed.admin.createTopic('b');
      await bed.admin.createTopic('a');
      expect(await bed.admin.listTopics()).toEqual(['a', 'b']);
    });

    it('creates one with the settings asked for and the defaults of this process', async () => {
      await bed.admin.createTopic('orders', { queues: 2, maxLength: 10 });
      expect(await bed.admin.describeTopic('orders')).toMatchObject({
        topic: 'orders',
        settings: { queues: 2, maxLength: 10, retentionMs: 86_400_000, dedupWindowMs: 600_000 },
        length: 0,
        scheduled: 0,
        halves: NO_HALVES,
        queues: [
          { queue: 0, length: 0, first: null, last: null, scheduled: 0, halves: NO_HALVES },
          { queue: 1, length: 0, first: null, last: null, scheduled: 0, halves: NO_HALVES },
        ],
      });
    });

    it('takes a definition, and settings win over it', async () => {
      const orders = defineTopic('orders', { queues: 3, retentionMs: 5_000 });
      const info = await bed.admin.createTopic(orders, { retentionMs: 9_000 });
      expect(info).toMatchObject({ queues: 3, retentionMs: 9_000 });
    });

    it('may create again with the same settings, or without naming them', async () => {
      await bed.admin.createTopic('orders', { queues: 2 });
      expect(await bed.admin.createTopic('orders', { queues: 2 })).toMatchObject({ queues: 2 });
      expect(await bed.admin.createTopic('orders')).toMatchObject({ queues: 2 });
    });

    it('refuses to create one that exists with other settings, and names each', async () => {
      await bed.admin.createTopic('orders', { queues: 2, maxLength: 5 });
      const again = bed.admin.createTopic('orders', { queues: 8, maxLength: 5, retentionMs: 7 });
      await expect(again).rejects.toThrow(TopicExistsError);
      await expect(again).rejects.toMatchObject({
        code: 'TOPIC_EXISTS',
        differences: ['queues is 2, asked for 8', 'retentionMs is 86400000, asked for 7'],
      });
      expect((await bed.admin.describeTopic('orders')).settings.queues).toBe(2);
    });

    it('counts what each queue holds', async () => {
      await bed.admin.createTopic('orders', { queues: 2 });
      const { offset } = await publish(bed, 'a', { queue: 1 });
      const { offset: last } = await publish(bed, 'b', { queue: 1 });
      await publish(bed, 'later', { queue: 0, delayMs: 3_600_000 });
      const described = await bed.admin.describeTopic('orders');
      expect(described).toMatchObject({ length: 2, scheduled: 1 });
      expect(described.queues).toEqual([
        { queue: 0, length: 0, first: null, last: null, scheduled: 1, halves: NO_HALVES },
        { queue: 1, length: 2, first: offset, last, scheduled: 0, halves: NO_HALVES },
      ]);
    });

    it('alters what can be altered', async () => {
      await bed.admin.createTopic('orders');
      const info = await bed.admin.alterTopic('orders', { maxLength: 1, retentionMs: 60_000 });
      expect(info).toMatchObject({ maxLength: 1, retentionMs: 60_000, queues: 4 });
      expect(await bed.admin.alterTopic('orders', { maxLength: null })).toMatchObject({
        maxLength: null,
        retentionMs: 60_000,
      });
    });

    it('lets the number of queues grow', async () => {
      await bed.admin.createTopic('orders', { queues: 2 });
      const { generation } = await bed.admin.describeTopic('orders');
      expect(await bed.admin.alterTopic('orders', { queues: 6 })).toMatchObject({ queues: 6 });
      const described = await bed.admin.describeTopic('orders');
      expect(described.generation).toBeGreaterThan(generation);
      expect(described.queues).toHaveLength(6);
    });

    it('refuses any other number of queues', async () => {
      await bed.admin.createTopic('orders');
      for (const queues of [2, 6])
        await expect(bed.admin.alterTopic('orders', { queues })).rejects.toMatchObject({
          code: 'INVALID_INPUT',
          problems: [expect.stringContaining('queues is 4 and can only become a multiple')],
        });
    });

    it('refuses to alter what cannot be, with every problem', async () => {
      await bed.admin.createTopic('orders');
      await expect(
        bed.admin.alterTopic('orders', { queues: 0, retentionMs: -1, maxlength: 3 } as object),
      ).rejects.toMatchObject({
        code: 'INVALID_INPUT',
        problems: [
          expect.stringContaining('did you mean "maxLength"'),
          expect.stringContaining('queues must be'),
          expect.stringContaining('retentionMs must be'),
        ],
      });
    });

    it('deletes a topic with everything in it', async () => {
      await publish(bed, 'a');
      expect(await bed.admin.deleteTopic('orders')).toBe(true);
      expect(await bed.admin.deleteTopic('orders')).toBe(false);
      expect(await bed.admin.listTopics()).toEqual([]);
    });

    it('deletes nothing while a living process consumes it, unless forced to', async () => {
      await consume(bed, () => {});
      const acked = bed.rivulet.events.next('acked');
      await publish(bed, 'a');
      await bed.until(acked);
      await expect(bed.admin.deleteTopic('orders')).rejects.toThrow(InUseError);
      await expect(bed.admin.deleteTopic('orders')).rejects.toMatchObject({
        members: [bed.rivulet.member],
      });
      expect(await bed.admin.deleteTopic('orders', { force: true })).toBe(true);
    });

    it('says which topic is missing', async () => {
      await expect(bed.admin.describeTopic('nowhere')).rejects.toThrow(TopicNotFoundError);
      await expect(bed.admin.alterTopic('nowhere', {})).rejects.toThrow(/"nowhere" does not exist/);
      await expect(bed.admin.listGroups('nowhere')).rejects.toThrow(TopicNotFoundError);
    });

    it.each<[unknown]>([[''], ['a b'], ['{x}'], ['__proto__'], ['x'.repeat(128)], [7], [null]])(
      'refuses the name %p',
      async (name) => {
        const topic = name as string;
        for (const refused of [
          bed.admin.createTopic(topic),
          bed.admin.describeTopic(topic),
          bed.admin.deleteTopic(topic),
          bed.admin.listGroups(topic),
        ])
          await expect(refused).rejects.toMatchObject({
            problems: [expect.stringContaining('topic must be 1 to 127 characters')],
          });
      },
    );

    it('refuses settings that cannot be meant, all at once', async () => {
      const refused = bed.admin.createTopic('a b', {
        queues: 0,
        dedupWindowMs: 1.5,
        que: 1,
      } as object);
      await expect(refused).rejects.toMatchObject({ problems: { length: 4 } });
      expect(await bed.admin.listTopics()).toEqual([]);
    });
  });
}
