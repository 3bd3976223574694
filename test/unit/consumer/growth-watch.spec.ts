import { MessageAdmin } from '../../../lib/inspect/message-admin.js';
import { TestBed } from '../../../lib/testing/test-bed.js';
import { groupIn } from '../../contract/messages.js';

it('keeps no subscription from its added queues because another one cannot take its own', async () => {
  const bed = await TestBed.open({});
  const admin = new MessageAdmin({ rivulet: bed.rivulet });
  const seen: unknown[] = [];
  for (const topic of ['mails', 'orders']) {
    await bed.stores.topics.declare(topic, { queues: 1 });
    await bed.subscribe({ topic, group: 'billing', handler: ({ body }) => void seen.push(body) });
  }
  const { topics } = bed.stores;
  const join = topics.joinGroup.bind(topics);
  topics.joinGroup = (topic, wanted) =>
    topic === 'mails' ? Promise.reject(new Error('not this one')) : join(topic, wanted);
  await admin.alterTopic('mails', { queues: 2 });
  await admin.alterTopic('orders', { queues: 2 });
  const sending = bed.publish('orders', 'm', { messageGroup: groupIn(1) });
  await bed.advance(130_000);
  expect(await sending).toMatchObject({ queue: 1 });
  expect(seen).toEqual(['m']);
  await bed.close();
});
