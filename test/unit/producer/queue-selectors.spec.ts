import type { OutgoingMessage, QueueSelector } from '../../../lib/core/message/message.js';
import { selectQueue } from '../../../lib/core/producer/queue-selector.js';
import {
  hashedQueue,
  randomQueue,
  roundRobinQueue,
  stickyBatchQueue,
} from '../../../lib/core/producer/queue-selectors.js';
import { TestBed } from '../../../lib/testing/test-bed.js';

const QUEUES = [0, 1, 2, 3];
const message = (more: Partial<OutgoingMessage> = {}): OutgoingMessage => ({
  topic: 'orders',
  tag: undefined,
  key: undefined,
  properties: {},
  body: 1,
  ...more,
});
const chosen = (selector: QueueSelector, times: number, topic = 'orders'): number[] =>
  Array.from({ length: times }, () => selector(QUEUES, message({ topic })));

describe('queue selectors', () => {
  it('at random reach every queue, and no other', () => {
    expect([...new Set(chosen(randomQueue(), 500))].sort()).toEqual(QUEUES);
  });

  it('in turns take one queue after the other, in each topic by itself', () => {
    const selector = roundRobinQueue();
    expect(chosen(selector, 6)).toEqual([0, 1, 2, 3, 0, 1]);
    expect(chosen(selector, 2, 'mails')).toEqual([0, 1]);
    expect(chosen(selector, 1)).toEqual([2]);
    expect(chosen(roundRobinQueue(), 1)).toEqual([0]);
  });

  it('in batches keep one queue for so many messages, in each topic by itself', () => {
    const selector = stickyBatchQueue({ size: 3 });
    expect(chosen(selector, 7)).toEqual([0, 0, 0, 1, 1, 1, 2]);
    expect(chosen(selector, 2, 'mails')).toEqual([0, 0]);
    expect(() => stickyBatchQueue({ size: 0 })).toThrow('size must be an integer of at least 1');
  });

  it('by hash send the same key to the same queue, and what has none anywhere', () => {
    const selector = hashedQueue();
    for (const key of ['a', 'b', 'ü', 'order-17'])
      expect(selector(QUEUES, message({ key }))).toBe(selectQueue(key, 4));
    expect(new Set(chosen(selector, 500)).size).toBe(4);
  });

  it('are given to a send', async () => {
    const bed = await TestBed.open();
    const queueSelector = roundRobinQueue();
    const sent = [];
    for (let n = 0; n < 5; n++)
      sent.push((await bed.publish('orders', n, { queueSelector })).queue);
    expect(sent).toEqual([0, 1, 2, 3, 0]);
    await bed.close();
  });
});
