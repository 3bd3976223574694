import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import {
  BatchSendError,
  defineTopic,
  InvalidInputError,
  MessageProducer,
  type RivuletContext,
  Subscribe,
} from 'nestjs-rivulet';
import { closeApps, start } from './helpers/open-app.js';

afterEach(closeApps);

describe('MessageProducer', () => {
  it('answers a send with the publisher confirm', async () => {
    const { producer } = await start({});
    expect(await producer.send('orders', { id: 1 }, { dedupId: 'a' })).toMatchObject({
      topic: 'orders',
      state: 'stored',
      duplicate: false,
    });
    expect(await producer.send('orders', { id: 1 }, { dedupId: 'a' })).toMatchObject({
      duplicate: true,
    });
    expect(await producer.send('orders', {}, { delayMs: 60_000 })).toMatchObject({
      state: 'scheduled',
      offset: null,
    });
  });

  it('refuses what cannot be meant before anything is stored, by rejecting', async () => {
    const { producer } = await start({});
    const options = { dealyMs: 1 } as object;
    await expect(producer.send('orders', 1, options)).rejects.toThrow('did you mean "delayMs"');
    await expect(producer.send('a b', 1)).rejects.toBeInstanceOf(InvalidInputError);
    await expect(producer.request('orders', undefined)).rejects.toMatchObject({ code: 'CODEC' });
  });

  it('sends a batch in order, or nothing of it when one message is invalid', async () => {
    const { producer, stores } = await start({});
    const orders = defineTopic<{ id: number }>('orders', { queues: 1 });
    const results = await producer.sendBatch(
      orders,
      [1, 2, 3].map((id) => ({ body: { id }, key: `k${id}`, messageGroup: 'g' })),
    );
    expect(results.map(({ state }) => state)).toEqual(['stored', 'stored', 'stored']);
    await expect(
      producer.sendBatch(orders, [{ body: { id: 4 } }, { body: { id: 5 }, ttlMs: -1 }]),
    ).rejects.toBeInstanceOf(InvalidInputError);
    const stored = await stores.log.range({
      topic: 'orders',
      queue: 0,
      from: '-',
      to: '+',
      count: 9,
    });
    expect(stored.map(({ offset }) => offset)).toEqual(results.map(({ offset }) => offset));
  });

  it('says which messages of a batch were not stored', async () => {
    const { producer } = await start({});
    await producer.send(defineTopic('small', { queues: 1, maxLength: 2 }), 0);
    const error: unknown = await producer
      .sendBatch('small', [{ body: 1 }, { body: 2 }])
      .catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(BatchSendError);
    expect((error as BatchSendError).outcomes).toEqual([
      expect.objectContaining({ state: 'stored' }),
      expect.objectContaining({ code: 'TOPIC_FULL' }),
    ]);
  });

  it('sends one way without an answer, and logs a failure', async () => {
    const lines: string[] = [];
    const logger = { log() {}, warn() {}, debug() {}, error: (line: string) => lines.push(line) };
    const { producer, events } = await start({ rivulet: { logger } });
    const published = events.next('published');
    producer.oneway('orders', { id: 1 });
    expect(await published).toMatchObject({ topic: 'orders' });
    producer.oneway('a b', { secret: 'x' });
    await new Promise((resolve) => setImmediate(resolve));
    expect(lines).toEqual([expect.stringMatching(/^A one-way send to topic "a b" failed: /)]);
    expect(lines.join()).not.toContain('secret');
  });

  it('confirms nothing one way, so acks are refused there and the default ones left out', async () => {
    const lines: string[] = [];
    const logger = { log() {}, warn() {}, debug() {}, error: (line: string) => lines.push(line) };
    const options = { logger, producer: { acks: { replicas: 1 } } };
    const { producer, events, stores } = await start({ rivulet: options });
    const append = jest.spyOn(stores.log, 'append');
    const published = events.next('published');
    producer.oneway('orders', 1);
    await published;
    expect(append.mock.calls.map(([{ acks }]) => acks)).toEqual([undefined]);
    producer.oneway('orders', 2, { acks: 'disk' } as object);
    await new Promise((resolve) => setImmediate(resolve));
    expect(lines).toEqual([expect.stringMatching(/acks would be waited for by nobody/)]);
  });

  it('sends from handlers within the trace of their message', async () => {
    const traces: unknown[] = [];
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

    @Injectable()
    class Handlers {
      constructor(private readonly producer: MessageProducer) {}
      @Subscribe('orders')
      async onOrder(@Payload() order: unknown) {
        await this.producer.send('mails', order);
      }
      @Subscribe('mails')
      onMail(@Ctx() ctx: RivuletContext) {
        traces.push(ctx.traceparent);
      }
    }
    const { producer, events } = await start({ providers: [Handlers] });
    const acked = events.next('acked', ({ topic }) => topic === 'mails');
    await producer.send('orders', 1, { traceparent });
    await acked;
    expect(traces).toEqual([traceparent]);
  });

  it('compiles with bodies that fit the topic only', async () => {
    const { producer } = await start({});
    const orders = defineTopic<{ id: number }>('orders');
    const typed = () => {
      void producer.send(orders, { id: 1 });
      void producer.sendBatch(orders, [{ body: { id: 1 }, key: 'k' }]);
      void producer.request<number>(orders, { id: 1 });
      void producer.send('orders', 'anything');
      // @ts-expect-error the body is no order
      void producer.send(orders, { id: 'x' });
      // @ts-expect-error nor in a batch
      void producer.sendBatch(orders, [{ body: 1 }]);
      // @ts-expect-error nor one way
      producer.oneway(orders, {});
    };
    expect(typed).toBeDefined();
  });
});

describe('What is logged', () => {
  it('is one line for each failure, with where and which, and never a body', async () => {
    const lines: string[] = [];
    const note = (level: string) => (line: string) => lines.push(`${level} ${line}`);
    const logger = { log: note('log'), warn: note('warn'), error: note('error'), debug() {} };

    @Injectable()
    class Billing {
      @Subscribe('orders', { group: 'billing', retry: { maxAttempts: 2, backoff: { fromMs: 1 } } })
      charge(_order: unknown) {
        throw new Error('no bank');
      }
    }
    const { producer, events } = await start({ providers: [Billing], rivulet: { logger } });
    const dead = events.next('dead-lettered');
    const { messageId } = await producer.send('orders', { card: 'secret' });
    await dead;
    expect(lines).toEqual([
      'log Billing.charge handles topic "orders" in group "billing", 8 at a time',
      'log Connected to the store in memory',
      `warn orders/billing: message ${messageId} attempt 1 failed: Error: no bank. Next attempt in 1 ms.`,
      expect.stringContaining(
        `error orders/billing: message ${messageId} attempt 2 became a dead letter: failed 2 times`,
      ),
    ]);
    expect(lines.join()).not.toContain('secret');
  });
});
