import type { Delivery } from '../../lib/core/consumer/subscription.js';
import { MessageAdmin } from '../../lib/inspect/message-admin.js';
import { TestBed } from '../../lib/testing/test-bed.js';

describe('the whole journey of a message, without a framework and without Redis', () => {
  it('publish → deliver → fail → retry → dead letter → redrive → ack', async () => {
    const bed = await TestBed.open();
    const admin = new MessageAdmin({ rivulet: bed.rivulet });
    const story: string[] = [];
    for (const name of ['published', 'delivered', 'retried', 'dead-lettered', 'acked'] as const)
      bed.rivulet.events.on(name, (facts) =>
        story.push('group' in facts ? `${name} ${facts.group} ${facts.attempt}` : name),
      );
    let stock = 0;
    await bed.subscribe({
      topic: 'orders',
      group: 'billing',
      retry: { maxAttempts: 3, backoff: (attempt) => attempt * 1_000 },
      handler: () => {
        if (stock === 0) throw new Error('no stock');
      },
    });
    await bed.subscribe({ topic: 'orders', group: 'mail' });

    const { messageId, offset } = await bed.publish(
      'orders',
      { id: 7 },
      { key: 'order-7', messageGroup: 'customer-1', properties: { amount: 12 } },
    );
    await bed.advance(10_000);
    const { letters } = await admin.listDeadLetters('orders', 'billing');
    expect(letters).toMatchObject([
      {
        reason: 'failed 3 times; last: Error: no stock',
        attempts: 3,
        offset,
        history: [{ attempt: 1 }, { attempt: 2 }, { attempt: 3 }],
        entry: {
          kind: 'message',
          body: { value: { id: 7 } },
          message: { messageId, key: 'order-7', messageGroup: 'customer-1' },
        },
      },
    ]);

    stock = 1;
    await admin.redriveDeadLetter('orders', 'billing', letters[0]!.id);
    await bed.advance(1_000);
    expect(story).toEqual([
      'published',
      'delivered billing 1',
      'delivered mail 1',
      'retried billing 1',
      'acked mail 1',
      'delivered billing 2',
      'retried billing 2',
      'delivered billing 3',
      'dead-lettered billing 3',
      // For its group only, with attempts that begin anew.
      'delivered billing 1',
      'acked billing 1',
    ]);
    for (const group of ['billing', 'mail'])
      expect((await admin.describeGroup('orders', group)).total).toMatchObject({
        lag: 0,
        deadLetters: 0,
      });
    await bed.close();
  });

  it('a delayed message is cancelled, another brought forward', async () => {
    const bed = await TestBed.open();
    const admin = new MessageAdmin({ rivulet: bed.rivulet });
    const bodies: unknown[] = [];
    await bed.subscribe({
      topic: 'orders',
      group: 'billing',
      handler: ({ body }) => bodies.push(body),
    });
    const [cancelled, forward] = [
      await bed.publish('orders', 'cancelled', { delayMs: 60_000 }),
      await bed.publish('orders', 'forward', { delayMs: 60_000 }),
    ];
    expect(await admin.cancelScheduled('orders', cancelled.messageId)).toBe(true);
    expect(await admin.reschedule('orders', forward.messageId, { delayMs: 1_000 })).toBe(true);
    await bed.advance(2_000);
    expect(bodies).toEqual(['forward']);
    await bed.advance(120_000);
    expect(bodies).toEqual(['forward']);
    await bed.close();
  });

  it('a message that nobody waits for is handled to its end by a handler that streams its answers', async () => {
    const bed = await TestBed.open();
    const steps: unknown[] = [];
    await bed.subscribe({
      topic: 'questions',
      group: 'answers',
      reply: true,
      handler: async function* ({ body }: Delivery) {
        yield await Promise.resolve(1);
        steps.push(body);
      },
    });
    await bed.publish('questions', 'for the record');
    await bed.advance(1_000);
    expect(steps).toEqual(['for the record']);
    await bed.close();
  });

  it('a request is answered with values, an error and nothing after its time', async () => {
    const bed = await TestBed.open();
    await bed.subscribe({
      topic: 'questions',
      group: 'answers',
      reply: true,
      handler: async function* ({ body }: Delivery) {
        await Promise.resolve();
        if (body === 'fail') throw new Error('no such question');
        yield 1;
        yield { two: 2 };
      },
    });
    const { requester } = bed.rivulet;
    const stream: unknown[] = [];
    requester.open(
      'questions',
      'stream',
      {},
      {
        value: (value) => stream.push(value),
        error: (error) => stream.push(error),
        end: () => stream.push('end'),
      },
    );
    const failed = requester.request('questions', 'fail');
    failed.catch(() => {});
    await bed.advance(1_000);
    expect(stream).toEqual([1, { two: 2 }, 'end']);
    await expect(failed).rejects.toMatchObject({
      code: 'REQUEST_FAILED',
      message: expect.stringContaining('no such question'),
    });

    const unheard = requester.request('nobody', 'there?', { timeoutMs: 5_000 });
    unheard.catch(() => {});
    await bed.advance(6_000);
    await expect(unheard).rejects.toMatchObject({ code: 'REQUEST_TIMEOUT' });
    // Too late: the request is not run any more.
    let ran = false;
    await bed.subscribe({
      topic: 'nobody',
      group: 'late',
      reply: true,
      handler: () => (ran = true),
    });
    await bed.advance(1_000);
    expect(ran).toBe(false);
    await bed.close();
  });
});
