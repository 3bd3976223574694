import {
  defineTopic,
  InvalidInputError,
  SchemaError,
  type SendOptions,
  UnroutableMessageError,
} from 'nestjs-rivulet';
import { TestBed } from '../../../lib/testing/test-bed.js';

describe('a message that must reach somebody', () => {
  let bed: TestBed;
  beforeEach(async () => {
    bed = await TestBed.open({ settings: { topics: { queues: 1 } } });
  });
  afterEach(() => bed.close());

  it('is refused, and makes no topic, when nobody has subscribed', async () => {
    const sending = bed.publish('orders', 1, { mandatory: true });
    await expect(sending).rejects.toThrow(UnroutableMessageError);
    await expect(sending).rejects.toMatchObject({
      topic: 'orders',
      missing: [],
      code: 'UNROUTABLE',
    });
    expect(await bed.stores.topics.list()).toEqual([]);
  });

  it('is stored as soon as somebody has', async () => {
    await bed.publish('orders', 0);
    await expect(bed.publish('orders', 1, { mandatory: true })).rejects.toThrow(
      /no consumer group has subscribed to it/,
    );
    await bed.subscribe({ topic: 'orders', group: 'billing' });
    const { messageId } = await bed.publish('orders', 2, { mandatory: true });
    expect(await bed.settled(messageId)).toMatchObject({ state: 'acked' });
  });

  it('reaches who subscribed to a pattern once its topic has been made', async () => {
    await bed.subscribe({ topic: 'order.#', group: 'all' });
    await expect(bed.publish('order.paid', 1, { mandatory: true })).rejects.toThrow(
      'A subscription to a pattern counts a second or two after the topic was made: make it with MessageAdmin.createTopic',
    );
    expect(await bed.stores.topics.list()).toEqual([]);
    await bed.rivulet.topics.get('order.paid');
    await bed.advance(5_000);
    const { messageId } = await bed.publish('order.paid', 2, { mandatory: ['all'] });
    expect(await bed.settled(messageId)).toMatchObject({ state: 'acked' });
  });

  it('may have to reach certain groups', async () => {
    await bed.subscribe({ topic: 'orders', group: 'billing' });
    const sending = bed.publish('orders', 1, { mandatory: ['billing', 'stock'] });
    await expect(sending).rejects.toMatchObject({ missing: ['stock'] });
    expect(await bed.publish('orders', 1, { mandatory: ['billing'] })).toMatchObject({
      state: 'stored',
    });
  });

  it('goes elsewhere if it is told to', async () => {
    const options = { alternateTopic: 'unrouted', tag: 't' };
    expect(await bed.publish('orders', 1, options)).toMatchObject({ topic: 'unrouted' });
    await bed.subscribe({ topic: 'orders', group: 'billing' });
    expect(await bed.publish('orders', 2, options)).toMatchObject({ topic: 'orders' });
    expect(await bed.sent('unrouted')).toMatchObject([{ body: 1, tag: 't' }]);
  });

  it('is checked against the schema of its own topic, wherever it goes', async () => {
    const validate = (value: unknown) =>
      typeof value === 'number' ? { value } : { issues: [{ message: 'no number' }] };
    const orders = defineTopic('orders', {
      schema: { '~standard': { version: 1, vendor: 'test', validate } },
    });
    await expect(bed.publish(orders, 'x', { alternateTopic: 'unrouted' })).rejects.toThrow(
      SchemaError,
    );
  });

  it('asks for the groups of a topic once a second', async () => {
    await bed.subscribe({ topic: 'orders', group: 'billing' });
    let asked = 0;
    const { topics } = bed.stores;
    const groups = topics.groups.bind(topics);
    topics.groups = (topic) => (asked++, groups(topic));
    for (let i = 0; i < 5; i++) await bed.publish('orders', i, { mandatory: true });
    expect(asked).toBe(1);
    await bed.advance(1_000);
    await bed.publish('orders', 5, { mandatory: true });
    expect(asked).toBe(2);
  });

  it.each<[SendOptions | object, RegExp]>([
    [
      { mandatory: [] },
      /mandatory must be true, false or a list of consumer groups, got: an array/,
    ],
    [{ mandatory: 'billing' }, /mandatory must be true, false or a list/],
    [{ mandatory: ['a b'] }, /each group of mandatory must be 1 to 120/],
    [{ alternateTopic: 'a b' }, /topic must be 1 to 127/],
    [{ alternateTopic: 'a', mandatory: true }, /contradict each other/],
  ])('is refused when it cannot be meant: %j', async (options, problem) => {
    const sending = bed.publish('orders', 1, options);
    await expect(sending).rejects.toThrow(InvalidInputError);
    await expect(sending).rejects.toThrow(problem);
  });

  it('need not when it is not said', async () => {
    expect(await bed.publish('orders', 1, { mandatory: false })).toMatchObject({ topic: 'orders' });
  });
});
