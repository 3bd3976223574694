import { selectQueue } from '../../../lib/core/producer/queue-selector.js';
import { TestBed } from '../../../lib/testing/test-bed.js';

const GROUPS = Array.from({ length: 24 }, (_, i) => `g${i}`);

describe('a topic that grows while a transaction stores its halves', () => {
  it('loses nothing that comes to a queue which has a half of the transaction', async () => {
    const bed = await TestBed.open();
    const { halves, topics } = bed.stores;
    const prepare = halves.prepare.bind(halves);
    halves.prepare = async (call) => {
      // Queue 1 has its half when the topic grows; queue 0 is told that it moved.
      if (call.queue === 0 && (await topics.find(call.topic))!.queues === 2)
        await topics.alter(call.topic, { queues: 4 });
      return prepare(call);
    };
    const messageGroup = GROUPS.find((group) => selectQueue(group, 2) === 1)!;
    const names = Array.from({ length: 60 }, (_, i) => `orders-${i}`);
    const toTakenQueues: string[] = [];
    bed.rivulet.events.on('outbox-kept', ({ transactionId }) => toTakenQueues.push(transactionId));
    for (const topic of names) {
      await topics.declare(topic, { queues: 2 });
      await bed.rivulet.transactions.run(async () => {
        await bed.publish(topic, 'a', { messageGroup });
        await bed.publish(topic, 'b');
      });
    }
    await bed.advance(60_000);
    for (const topic of names)
      expect((await bed.sent(topic)).map(({ body }) => body).sort()).toEqual(['a', 'b']);
    expect(toTakenQueues.length).toBeGreaterThan(0);
    await bed.close();
  });
});
