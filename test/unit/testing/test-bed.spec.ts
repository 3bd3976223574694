import { RejectMessageError } from '../../../lib/core/consumer/handler-errors.js';
import { defineTopic } from '../../../lib/core/message/topic.js';
import { TestBed } from '../../../lib/testing/test-bed.js';

describe('TestBed', () => {
  let bed: TestBed;
  beforeEach(async () => {
    bed = await TestBed.open({ settings: { topics: { queues: 1 } } });
  });
  afterEach(() => bed.close());

  it('refuses options that nobody knows', async () => {
    await expect(TestBed.open({ setings: {} } as never)).rejects.toThrow(
      'Options of TestBed: unknown option "setings", did you mean "settings"?',
    );
  });

  it('shows what was sent, scheduled messages included', async () => {
    await bed.publish('orders', { id: 1 }, { tag: 'created', key: 'k' });
    await bed.publish('orders', { id: 2 }, { delayMs: 60_000 });
    await bed.publish('orders', Buffer.from([1, 2]));
    const sent = await bed.sent('orders');
    expect(sent.map(({ body }) => body)).toEqual([{ id: 1 }, { id: 2 }, Buffer.from([1, 2])]);
    expect(sent[0]).toMatchObject({ tag: 'created', key: 'k', dueAt: null });
    expect(sent[1]).toMatchObject({ offset: null, dueAt: bed.clock.now() + 60_000 });
    expect(await bed.sent('nowhere')).toEqual([]);
  });

  it('hands deliveries to the handler and shows them in order', async () => {
    const bodies: unknown[] = [];
    await bed.subscribe({
      topic: 'orders',
      group: 'billing',
      handler: ({ body }) => bodies.push(body),
    });
    const { messageId } = await bed.publish('orders', 'a');
    await bed.publish('orders', 'b');
    expect(await bed.nextDelivery('billing')).toMatchObject({
      body: 'a',
      attempt: 1,
      message: { messageId },
    });
    expect(await bed.nextDelivery('billing')).toMatchObject({ body: 'b' });
    expect(await bed.settled(messageId)).toMatchObject({
      state: 'acked',
      group: 'billing',
      attempt: 1,
    });
    expect(bodies).toEqual(['a', 'b']);
  });

  it('makes and checks a topic as it is defined', async () => {
    const validate = (body: unknown) =>
      typeof body === 'string' ? { value: new Date(body) } : { issues: [{ message: 'no text' }] };
    const schema = { '~standard': { version: 1, vendor: 'test', validate } } as const;
    const topic = defineTopic('visits', { queues: 2, schema });
    await bed.subscribe({ topic, group: 'log' });
    expect(await bed.stores.topics.find('visits')).toMatchObject({ queues: 2 });

    const other = await bed.sibling();
    await other.publish('visits', '2026-01-01T00:00:00Z');
    expect((await bed.nextDelivery('log')).body).toEqual(new Date('2026-01-01T00:00:00Z'));
    const { messageId } = await other.publish('visits', 7);
    expect(await bed.settled(messageId)).toMatchObject({
      state: 'dead-lettered',
      reason: 'The body does not match the schema of topic "visits": no text',
    });
    await other.close();
  });

  it('consumes for several groups, also those that subscribe later', async () => {
    await bed.subscribe({ topic: 'orders', group: 'billing' });
    const { messageId } = await bed.publish('orders', 'a');
    await bed.subscribe({ topic: 'orders', group: 'audit' });
    expect(await bed.settled(messageId, 'billing')).toMatchObject({ state: 'acked' });
    expect(await bed.settled(messageId, 'audit')).toMatchObject({ state: 'acked' });
  });

  it('waits for a delivery that has not begun', async () => {
    await bed.subscribe({ topic: 'orders', group: 'billing' });
    const delivery = bed.nextDelivery('billing');
    await bed.publish('orders', 'a');
    expect((await delivery).body).toBe('a');
  });

  it('retries in manual time', async () => {
    let failures = 2;
    await bed.subscribe({
      topic: 'orders',
      group: 'billing',
      retry: { backoff: (attempt) => [1_000, 60_000][attempt - 1]! },
      handler: () => {
        if (failures-- > 0) throw new Error('not yet');
      },
    });
    const { messageId } = await bed.publish('orders', 'a');
    expect(await bed.nextDelivery('billing')).toMatchObject({ attempt: 1 });
    await bed.advance(2_000);
    expect(await bed.nextDelivery('billing')).toMatchObject({ attempt: 2 });
    await bed.advance(120_000);
    expect(await bed.settled(messageId)).toMatchObject({ state: 'acked', attempt: 3 });
  });

  it('shows dead letters with reason, error and history', async () => {
    await bed.subscribe({
      topic: 'orders',
      group: 'billing',
      handler: () => {
        throw new RejectMessageError('no such customer');
      },
    });
    const { messageId } = await bed.publish('orders', { id: 1 });
    expect(await bed.settled(messageId, 'billing')).toMatchObject({ state: 'dead-lettered' });
    const [letter, ...more] = await bed.deadLetters('orders', 'billing');
    expect(more).toEqual([]);
    expect(letter).toMatchObject({ attempts: 1, message: { messageId, body: { id: 1 } } });
    expect(letter!.reason).toContain('no such customer');
  });

  it('delivers scheduled messages when their time has come', async () => {
    await bed.subscribe({ topic: 'orders', group: 'billing' });
    const { messageId } = await bed.publish('orders', 'later', { delayMs: 60_000 });
    await bed.advance(59_000);
    expect((await bed.sent('orders'))[0]).toMatchObject({ offset: null });
    await bed.advance(2_000);
    expect((await bed.nextDelivery('billing')).message.messageId).toBe(messageId);
  });

  it('lets another process take over what a crashed one held', async () => {
    await bed.subscribe({
      topic: 'orders',
      group: 'billing',
      handler: () => new Promise(() => {}),
    });
    const { messageId } = await bed.publish('orders', 'a');
    await bed.nextDelivery('billing');
    const other = await bed.sibling();
    await other.subscribe({ topic: 'orders', group: 'billing' });
    bed.crash();
    await bed.advance(60_000);
    expect(await other.settled(messageId)).toMatchObject({ state: 'acked', attempt: 1 });
    await other.close();
  });

  it('says what did not happen', async () => {
    await bed.subscribe({ topic: 'orders', group: 'billing' });
    await expect(bed.nextDelivery('billing')).rejects.toThrow(
      /no delivery to group "billing".*advance/,
    );
  });

  it('leaves no timer behind', async () => {
    await bed.subscribe({ topic: 'orders', group: 'billing' });
    await bed.publish('orders', 'a');
    await bed.advance(1_000);
    await bed.close();
    expect(bed.clock.armed).toBe(0);
  });
});
