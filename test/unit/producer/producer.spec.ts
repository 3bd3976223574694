import {
  InvalidInputError,
  ProducerBufferFullError,
  SchemaError,
  SendFailedError,
  TopicNotFoundError,
} from '../../../lib/core/message/errors.js';
import {
  defineTopic,
  type StandardSchema,
  type TopicName,
} from '../../../lib/core/message/topic.js';
import { sendBatch } from '../../../lib/core/producer/send-batch.js';
import { selectQueue } from '../../../lib/core/producer/queue-selector.js';
import { TestBed, type TestBedOptions } from '../../../lib/testing/test-bed.js';

describe('Producer', () => {
  const beds: TestBed[] = [];
  const open = async (settings: TestBedOptions['settings'] = {}): Promise<TestBed> => {
    const bed = await TestBed.open({ settings });
    beds.push(bed);
    return bed;
  };
  afterEach(async () => {
    for (const bed of beds.splice(0)) await bed.close();
  });

  it('answers where a message is stored', async () => {
    const bed = await open();
    const result = await bed.publish('orders', { id: 1 }, { messageGroup: 'g' });
    expect(result).toEqual({
      messageId: expect.stringMatching(/^[0-9a-f-]{36}$/),
      topic: 'orders',
      queue: selectQueue('g', 4),
      state: 'stored',
      offset: expect.stringMatching(/^\d+-\d+$/),
      duplicate: false,
      acks: 'memory',
    });
  });

  it('gives messages that nothing binds to a queue to all queues in turn', async () => {
    const bed = await open();
    const queues = new Set<number>();
    for (let i = 0; i < 8; i++) queues.add((await bed.publish('orders', i)).queue);
    expect([...queues].sort()).toEqual([0, 1, 2, 3]);
  });

  describe('after a rest', () => {
    let bed: TestBed;
    /** How many messages each call to the store had, and for which queue. */
    let calls: { queue: number; messages: number }[];
    beforeEach(async () => {
      bed = await open();
      await bed.publish('orders', 'known');
      const { log } = bed.stores;
      const append = log.append.bind(log);
      calls = [];
      log.append = (call) => {
        calls.push({ queue: call.queue, messages: call.entries.length });
        return append(call);
      };
    });

    it('sends the first message at once, and those behind it when the turn ends, to another queue', async () => {
      await bed.advance(10);
      const sends = [bed.publish('orders', 1)];
      expect(calls).toEqual([{ queue: 1, messages: 1 }]);
      sends.push(bed.publish('orders', 2), bed.publish('orders', 3));
      expect(calls).toHaveLength(1);
      await Promise.all(sends);
      expect(calls).toEqual([
        { queue: 1, messages: 1 },
        { queue: 2, messages: 2 },
      ]);
    });

    it.each([
      { what: 'it was too short', restMs: 9, options: {} },
      { what: 'a message has its queue', restMs: 10, options: { messageGroup: 'g' } },
    ])('waits for the end of the turn when $what', async ({ restMs, options }) => {
      await bed.advance(restMs);
      await Promise.all([1, 2, 3].map((body) => bed.publish('orders', body, options)));
      expect(calls.map(({ messages }) => messages)).toEqual([3]);
    });

    it('waits for the end of the turn with the first message of all', async () => {
      const fresh = await open();
      const [first, second] = await Promise.all(
        [1, 2].map((body) => fresh.publish('orders', body)),
      );
      expect(first!.queue).toBe(second!.queue);
    });

    it('cuts no batch', async () => {
      await bed.advance(10);
      const items = [1, 2, 3].map((body) => ({ body }));
      await sendBatch(bed.rivulet.producer, 'orders', items);
      expect(calls.map(({ messages }) => messages)).toEqual([3]);
    });
  });

  it('asks a queue selector, and shows it the message', async () => {
    const bed = await open();
    const seen: unknown[] = [];
    const { queue } = await bed.publish(
      'orders',
      { id: 7 },
      {
        tag: 't',
        key: 'k',
        properties: { a: 1, b: undefined },
        queueSelector: (queues, message) => {
          seen.push(queues, message);
          return 2;
        },
      },
    );
    expect(queue).toBe(2);
    expect(seen).toEqual([
      [0, 1, 2, 3],
      { topic: 'orders', tag: 't', key: 'k', properties: { a: 1 }, body: { id: 7 } },
    ]);
  });

  it.each<[unknown]>([[4], [-1], [1.5], [undefined], [Promise.resolve(1)]])(
    'refuses a queue selector that answers %p',
    async (answer) => {
      const bed = await open();
      await bed.publish('orders', 'known');
      const send = bed.publish('orders', 'a', { queueSelector: () => answer as number });
      await expect(send).rejects.toThrow(/what queueSelector returned must be a queue from 0 to 3/);
    },
  );

  it('rejects with what a queue selector throws', async () => {
    const bed = await open();
    const queueSelector = (): number => {
      throw new RangeError('mine');
    };
    await expect(bed.publish('orders', 'a', { queueSelector })).rejects.toThrow('mine');
  });

  it.each<[unknown]>([[undefined], [null], [5], [{}], [''], ['a b'], ['__proto__']])(
    'rejects, and does not throw, for the topic %p',
    async (topic) => {
      const bed = await open();
      const send = bed.rivulet.producer.send(topic as TopicName, 'a');
      await expect(send).rejects.toThrow(InvalidInputError);
    },
  );

  it('rejects, and does not throw, for options that are none', async () => {
    const bed = await open();
    await expect(bed.publish('orders', 'a', null as never)).rejects.toThrow(InvalidInputError);
  });

  it('refuses a body that is too large, and says how large it may be', async () => {
    const bed = await open({ producer: { maxMessageBytes: 10 } });
    await bed.publish('orders', '12345678');
    await expect(bed.publish('orders', '123456789')).rejects.toThrow(
      /the body takes 11 bytes, maxMessageBytes allows 10/,
    );
    await expect(bed.publish('orders', Buffer.alloc(11))).rejects.toThrow(InvalidInputError);
  });

  it('says to which topic a body cannot be sent, and where the reason is', async () => {
    const bed = await open();
    await expect(bed.publish('orders', { at: [undefined] })).rejects.toMatchObject({
      ...{ code: 'CODEC', topic: 'orders', path: '$.at[0]' },
      message: expect.stringMatching(/^Send to topic "orders": \$\.at\[0\] is undefined/),
    });
  });

  it('sends the body as it was when send was called', async () => {
    const bed = await open();
    const body = { id: 1 };
    const bytes = Buffer.from('abc');
    const sends = [bed.publish('orders', body), bed.publish('orders', bytes)];
    body.id = 2;
    bytes.fill(0);
    await Promise.all(sends);
    expect((await bed.sent('orders')).map((message) => message.body)).toEqual([
      { id: 1 },
      Buffer.from('abc'),
    ]);
  });

  it('keeps the order of the calls, also behind a topic that is looked up and a slow schema', async () => {
    const bed = await open({ topics: { queues: 1 } });
    const orders = defineTopic<number>('orders', {
      schema: {
        '~standard': {
          version: 1,
          vendor: 'test',
          validate: async (value) => {
            await new Promise((resolve) => setTimeout(resolve, value === 0 ? 20 : 0));
            return { value: value as number };
          },
        },
      },
    });
    await Promise.all([0, 1, 2, 3, 4].map((body) => bed.rivulet.producer.send(orders, body)));
    const offsets = (await bed.sent('orders')).map(({ body, offset }) => [body, offset]);
    const byOffset = [...offsets].sort(([, a], [, b]) => (a! < b! ? -1 : 1));
    expect(byOffset.map(([body]) => body)).toEqual([0, 1, 2, 3, 4]);
  });

  it('stores nothing that does not match the schema of its topic', async () => {
    const bed = await open();
    const orders = defineTopic('orders', {
      schema: {
        '~standard': {
          version: 1,
          vendor: 'test',
          validate: () => ({ issues: [{ message: 'too small', path: ['items', { key: 0 }] }] }),
        },
      },
    });
    const send = bed.publish(orders, {});
    await expect(send).rejects.toThrow(SchemaError);
    await expect(send).rejects.toMatchObject({ issues: ['items.0: too small'] });
    expect(await bed.sent('orders')).toEqual([]);
  });

  it('stores what the schema made of a body, which passes it once more on its way to a handler', async () => {
    const bed = await open();
    const seen: unknown[] = [];
    const validate = (body: unknown) => {
      seen.push(body);
      const { at, tries = 0 } = body as { at: string | Date; tries?: number };
      return { value: { at: new Date(at), tries: tries + 1 } };
    };
    const topic = defineTopic('visits', {
      schema: { '~standard': { version: 1, vendor: 'test', validate } },
    });
    await bed.subscribe({ topic, group: 'log' });
    const at = new Date('2026-01-01T00:00:00Z');
    await bed.publish(topic, { at });
    const { body } = await bed.nextDelivery('log');
    expect(seen).toEqual([{ at }, { at: at.toISOString(), tries: 1 }]);
    expect(body).toEqual({ at, tries: 2 });
  });

  it('does not create a topic when that is switched off', async () => {
    const bed = await open({ autoCreateTopics: false });
    await expect(bed.publish('orders', 'a')).rejects.toThrow(TopicNotFoundError);
    await bed.publish(defineTopic('orders', { queues: 2 }), 'a');
    expect(await bed.stores.topics.find('orders')).toMatchObject({ queues: 2 });
  });

  it('waits for a store that is down for a moment', async () => {
    const bed = await open();
    bed.stores.goDown();
    const send = bed.publish('orders', 'a');
    await bed.advance(3_000);
    bed.stores.comeUp();
    await bed.advance(1_000);
    expect(await send).toMatchObject({ state: 'stored' });
  });

  it('fails for good when the topic cannot be looked up in time', async () => {
    const bed = await open();
    bed.stores.goDown();
    const send = bed.publish('orders', 'a', { timeoutMs: 2_000 });
    send.catch(() => {});
    await bed.advance(2_500);
    await expect(send).rejects.toThrow(SendFailedError);
    bed.stores.comeUp();
    await bed.advance(20_000);
    expect(await bed.sent('orders')).toEqual([]);
  });

  it('answers each send in its own time, also behind one that may take longer', async () => {
    const bed = await open();
    bed.stores.goDown();
    const begunAt = bed.clock.monotonic();
    const schema: StandardSchema = {
      '~standard': { version: 1, vendor: 'test', validate: (value) => ({ value }) },
    };
    const endedAfter = async (topic: TopicName, timeoutMs: number): Promise<number> => {
      await expect(bed.publish(topic, 'a', { timeoutMs })).rejects.toThrow(SendFailedError);
      return bed.clock.monotonic() - begunAt;
    };
    const ends = Promise.all([
      endedAfter('orders', 20_000),
      endedAfter('orders', 2_000),
      endedAfter(defineTopic('mails', { schema }), 20_000),
      endedAfter(defineTopic('mails', { schema }), 2_000),
    ]);
    await bed.advance(21_000);
    expect(await ends).toEqual([20_000, 2_000, 20_000, 2_000]);
  });

  it('keeps the order of what waits for a topic although one in between runs out of time', async () => {
    const bed = await open({ topics: { queues: 1 } });
    bed.stores.goDown();
    const sends = Promise.allSettled([
      bed.publish('orders', 'a'),
      bed.publish('orders', 'b', { timeoutMs: 100 }),
      bed.publish('orders', 'c'),
    ]);
    await bed.advance(510);
    const late = bed.publish('orders', 'd');
    bed.stores.comeUp();
    await bed.advance(2_000);
    await Promise.all([sends, late]);
    expect((await bed.sent('orders')).map(({ body }) => body)).toEqual(['a', 'c', 'd']);
  });

  it('tells listeners of every message that was not stored', async () => {
    const bed = await open({ producer: { maxBufferedMessages: 1 } });
    const failing = await open({
      producer: { maxBufferedMessages: 1, whenBufferFull: 'fail' },
    });
    const told: string[] = [];
    for (const { rivulet } of [bed, failing])
      rivulet.events.on('publish-failed', ({ topic, outcome, error }) =>
        told.push(`${topic} ${outcome}: ${error.name}`),
      );
    await Promise.all([bed.publish('orders', 'known'), failing.publish('orders', 'known')]);
    bed.stores.goDown();
    failing.stores.goDown();
    const sends = Promise.allSettled([
      bed.publish('orders', 'sent', { timeoutMs: 3_000 }),
      bed.publish('orders', 'waits for room', { timeoutMs: 1_000 }),
      bed.publish('unknown', 'waits for its topic', { timeoutMs: 2_000 }),
      failing.publish('orders', 'sent', { timeoutMs: 4_000 }),
      failing.publish('orders', 'refused'),
    ]);
    await bed.advance(5_000);
    await failing.advance(5_000);
    await sends;
    expect(told).toEqual([
      'orders failed: ProducerBufferFullError',
      'orders failed: SendFailedError',
      'unknown failed: SendFailedError',
      'orders unknown: SendOutcomeUnknownError',
      'orders unknown: SendOutcomeUnknownError',
    ]);
  });

  it('holds sends back while its buffer is full, in order', async () => {
    const bed = await open({ producer: { maxBufferedMessages: 2 }, topics: { queues: 1 } });
    await bed.publish('orders', 'known');
    bed.stores.goDown();
    const sends = Array.from({ length: 6 }, (_, i) => bed.publish('orders', i));
    expect(bed.rivulet.producer.held).toMatchObject({ messages: 2, waiting: 4 });
    bed.stores.comeUp();
    await bed.advance(5_000);
    const offsets = (await Promise.all(sends)).map(({ offset }) => offset!);
    expect([...offsets].sort()).toEqual(offsets);
    expect(bed.rivulet.producer.held).toEqual({ messages: 0, bytes: 0, waiting: 0 });
  });

  it('counts the time a send waits for room from the call on', async () => {
    const bed = await open({ producer: { maxBufferedMessages: 1 }, topics: { queues: 1 } });
    bed.stores.goDown();
    const begunAt = bed.clock.monotonic();
    let endedAt = 0;
    // Its topic is unknown at first: looking it up takes half of the time.
    const sends = Promise.allSettled([
      bed.publish('orders', 'a', { timeoutMs: 20_000 }),
      bed.publish('orders', 'b', { timeoutMs: 2_000 }).finally(() => {
        endedAt = bed.clock.monotonic();
      }),
    ]);
    await bed.advance(1_000);
    bed.stores.log.append = () => new Promise(() => {});
    bed.stores.comeUp();
    await bed.advance(30_000);
    await sends;
    expect(endedAt - begunAt).toBe(2_000);
  });

  it('fails what was meant for a queue that a topic made anew does not have, and nothing else', async () => {
    const bed = await open();
    await bed.publish('orders', 'known');
    await bed.stores.topics.remove('orders');
    await bed.stores.topics.declare('orders', { queues: 2 });
    const sends = Promise.allSettled(
      [3, 1].map((queue) => bed.publish('orders', queue, { queue })),
    );
    await bed.advance(30_000);
    expect(await sends).toMatchObject([
      { reason: { code: 'SEND_FAILED', message: expect.stringContaining('queues 0 to 1') } },
      { value: { queue: 1, state: 'stored' } },
    ]);
    expect(bed.rivulet.producer.held.messages).toBe(0);
  });

  it('says why a topic that is gone could not take a message', async () => {
    const bed = await open({ autoCreateTopics: false });
    await bed.stores.topics.declare('orders', { queues: 1 });
    await bed.publish('orders', 'known');
    await bed.stores.topics.remove('orders');
    const send = bed.publish('orders', 'a');
    send.catch(() => {});
    await bed.advance(1_000);
    await expect(send).rejects.toMatchObject({
      code: 'SEND_FAILED',
      message: expect.stringMatching(/was not stored: .*does not exist/),
    });
  });

  it('confirms what waits for room before it closes', async () => {
    const bed = await open({ producer: { maxBufferedMessages: 1 }, topics: { queues: 2 } });
    await bed.publish('orders', 'known');
    const sends = Promise.allSettled(
      [0, 1, 0, 1, 1, 0].map((queue, i) => bed.publish('orders', i, { queue })),
    );
    await bed.rivulet.producer.close(new AbortController().signal);
    expect((await sends).map(({ status }) => status)).toEqual(Array(6).fill('fulfilled'));
  });

  it('refuses at once when its buffer is full and it is told to', async () => {
    const bed = await open({ producer: { maxBufferedMessages: 1, whenBufferFull: 'fail' } });
    await bed.publish('orders', 'known');
    const first = bed.publish('orders', 'a');
    await expect(bed.publish('orders', 'b')).rejects.toThrow(ProducerBufferFullError);
    expect(await first).toMatchObject({ state: 'stored' });
  });

  it('fails a send that found no room in time, and gives its place to nobody else', async () => {
    const bed = await open({ producer: { maxBufferedMessages: 1 } });
    await bed.publish('orders', 'known');
    bed.stores.goDown();
    const sends = Promise.allSettled([
      bed.publish('orders', 'a', { timeoutMs: 20_000 }),
      bed.publish('orders', 'b', { timeoutMs: 1_000 }),
    ]);
    await bed.advance(2_000);
    expect(bed.rivulet.producer.held).toMatchObject({ messages: 1, waiting: 0 });
    bed.stores.comeUp();
    await bed.advance(5_000);
    expect(await sends).toMatchObject([
      { status: 'fulfilled' },
      { status: 'rejected', reason: { code: 'SEND_FAILED' } },
    ]);
  });

  it('answers a repeat of a dedup id with the first message', async () => {
    const bed = await open();
    const first = await bed.publish('orders', 'a', { dedupId: 'pay-17' });
    const again = await bed.publish('orders', 'a', { dedupId: 'pay-17' });
    expect(again).toMatchObject({
      duplicate: true,
      messageId: first.messageId,
      offset: first.offset,
      queue: first.queue,
    });
    expect(await bed.sent('orders')).toHaveLength(1);
  });

  it('stores each message once when every third reply is lost', async () => {
    const bed = await open({ topics: { queues: 2 } });
    await bed.publish('orders', 'known');
    const sends: Promise<unknown>[] = [];
    for (let i = 0; i < 60; i++) {
      if (i % 3 === 0) bed.stores.loseReplies(1);
      sends.push(bed.publish('orders', i, { messageGroup: `g${i % 5}` }));
      await bed.clock.settle();
    }
    for (let i = 0; i < 50; i++) await bed.advance(500);
    expect((await Promise.allSettled(sends)).map(({ status }) => status)).not.toContain('rejected');
    const bodies = (await bed.sent('orders')).slice(1).map(({ body }) => body as number);
    expect([...bodies].sort((a, b) => a - b)).toEqual(Array.from({ length: 60 }, (_, i) => i));
  });

  it('goes on when the topic was deleted and made anew with other queues', async () => {
    const bed = await open({ topics: { queues: 4 } });
    await bed.publish('orders', 'before');
    await bed.stores.topics.remove('orders');
    await bed.stores.topics.declare('orders', { queues: 2 });
    const sends = Array.from({ length: 20 }, (_, i) =>
      bed.publish('orders', i, { messageGroup: `g${i % 4}` }),
    );
    await bed.advance(5_000);
    const results = await Promise.all(sends);
    expect(results.every(({ queue }) => queue < 2)).toBe(true);
    expect(await bed.sent('orders')).toHaveLength(20);
  });
});
