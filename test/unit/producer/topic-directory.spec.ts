import { defineTopic } from '../../../lib/core/message/topic.js';
import { silentLogger } from '../../../lib/core/runtime/logger.js';
import { TestBed } from '../../../lib/testing/test-bed.js';

describe('A topic that is defined', () => {
  let warned: string[];
  let bed: TestBed;

  beforeEach(async () => {
    warned = [];
    const logger = { ...silentLogger, warn: (line: string) => void warned.push(line) };
    bed = await TestBed.open({ logger });
  });
  afterEach(() => bed.close());

  it('with other settings than it has stays as it is, which is said once', async () => {
    await bed.stores.topics.declare('orders', { queues: 2, retentionMs: 60_000 });
    const orders = defineTopic('orders', { queues: 8, retentionMs: 60_000, whenFull: 'wait' });
    await bed.publish(orders, 1);
    expect(warned).toEqual([
      'Topic "orders" exists with other settings than it is defined with here: queues is 2, asked for 8; ' +
        'whenFull is reject, asked for wait. It stays as it is: change the definition, or the topic with MessageAdmin.alterTopic (queues only become more)',
    ]);
    await bed.stores.topics.alter('orders', { queues: 4 });
    expect(await bed.rivulet.topics.refresh('orders')).toMatchObject({
      queues: 4,
      whenFull: 'reject',
    });
    expect(warned).toHaveLength(1);
  });

  it('with what it has, or with nothing about it, is used without a word', async () => {
    await bed.stores.topics.declare('orders', { queues: 2 });
    await bed.publish(defineTopic('orders'), 1);
    await bed.stores.topics.declare('bills', { queues: 2 });
    await bed.publish(defineTopic('bills', { queues: 2 }), 1);
    await bed.publish('mails', 1);
    expect(warned).toEqual([]);
  });
});
