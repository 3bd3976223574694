import { jest } from '@jest/globals';
import { defineTopic } from '../../../lib/core/message/topic.js';
import { silentLogger } from '../../../lib/core/runtime/logger.js';
import { TestBed } from '../../../lib/testing/test-bed.js';

describe('A topic that a subscription makes', () => {
  let warned: string[];
  let bed: TestBed;

  beforeEach(async () => {
    warned = [];
    const logger = { ...silentLogger, warn: (line: string) => void warned.push(line) };
    bed = await TestBed.open({ logger });
    await bed.publish('orders', 1);
  });
  afterEach(() => bed.close());

  it('beside one of almost the same name is told of, once', async () => {
    const { topics } = bed.rivulet;
    await Promise.all([topics.getToConsume('oders'), topics.getToConsume('oders')]);
    await topics.getToConsume('oders');
    await topics.getToConsume('orders');
    expect(warned).toEqual([expect.stringContaining('did you mean "orders", which is there?')]);
  });

  it('is held against the names of others, but not each of the thousands that a process may make', async () => {
    const list = jest.spyOn(bed.stores.topics, 'list');
    for (let i = 0; i < 300; i++) await bed.rivulet.topics.getToConsume(`service-${i}`);
    expect(list.mock.calls.length).toBeLessThanOrEqual(100);
  });

  it('is not told of when its name is like no other, or was defined', async () => {
    await bed.subscribe({ topic: 'bills', group: 'billing' });
    await bed.subscribe({ topic: 'orders.2', group: 'billing' });
    const defined = defineTopic('order');
    bed.rivulet.topics.define(defined);
    await bed.subscribe({ topic: defined.topic, group: 'billing' });
    expect(warned).toEqual([]);
  });

  it('by a bare name is told of, whoever subscribes', async () => {
    await bed.subscribe({ topic: 'order', group: 'billing' });
    expect(warned).toEqual([expect.stringContaining('Topic "order" did not exist')]);
  });
});

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
