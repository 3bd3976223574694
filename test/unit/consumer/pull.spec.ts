import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { ReceivedMessage } from '../../../lib/core/consumer/pull/puller.js';
import type { ReceiveOptions } from '../../../lib/core/consumer/pull/pulls.js';
import { ReceiptExpiredError } from '../../../lib/core/consumer/pull/receipt.js';
import { tags } from '../../../lib/core/filter/message-filter.js';
import { defineTopic, type StandardSchema } from '../../../lib/core/message/topic.js';
import { ClosedError, InvalidInputError } from '../../../lib/core/message/errors.js';
import { TestBed } from '../../../lib/testing/test-bed.js';

const NUMBERS: StandardSchema = {
  '~standard': {
    version: 1,
    vendor: 'a test',
    validate: (value) =>
      typeof value === 'number' ? { value } : { issues: [{ message: 'no number' }] },
  },
};
const SETTINGS = { topics: { queues: 3 } };

describe('receive', () => {
  let bed: TestBed;
  let others: TestBed[];
  beforeEach(async () => {
    bed = await TestBed.open({ settings: SETTINGS });
    others = [];
  });
  afterEach(async () => {
    for (const each of [...others, bed]) await each.close();
  });

  /** Lets `passMs` go by meanwhile. */
  async function receive(
    options: Partial<ReceiveOptions> = {},
    { passMs = 10, on = bed } = {},
  ): Promise<ReceivedMessage[]> {
    const receiving = on.rivulet.pulls.receive({
      topic: 'jobs',
      group: 'workers',
      waitMs: 0,
      ...options,
    });
    receiving.catch(() => undefined);
    await bed.advance(passMs);
    return receiving;
  }
  async function another(): Promise<TestBed> {
    const made = await bed.sibling({ settings: SETTINGS });
    others.push(made);
    return made;
  }
  const publish = (count: number) =>
    Promise.all(Array.from({ length: count }, (_, n) => bed.publish('jobs', n)));
  const bodies = (received: readonly ReceivedMessage[]): unknown[] =>
    received.map(({ body }) => body).sort((a, b) => Number(a) - Number(b));

  it('hands out no more bytes than it may, and one message always; the rest stays for the next call', async () => {
    const sizes = [3_000, 10, 4_000, 9_000, 20, 3_000, 30_000, 5];
    for (const size of sizes) await bed.publish('jobs', 'x'.repeat(size));
    const received: number[][] = [];
    for (let call = 0; received.flat().length < sizes.length && call < 20; call++) {
      const some = await receive({ max: 1_000, maxBytes: 8_000 });
      for (const { receipt } of some) await bed.rivulet.pulls.ack(receipt);
      received.push(some.map(({ body }) => (body as string).length));
    }
    expect(received.flat().toSorted((a, b) => a - b)).toEqual(sizes.toSorted((a, b) => a - b));
    for (const some of received)
      expect(some.length === 1 || some.reduce((sum, size) => sum + size) < 8_000).toBe(true);
    await expect(receive({ maxBytes: 0 })).rejects.toThrow('maxBytes must be an integer');
  });

  it('takes as large a share of the backlog as before once it knows that messages are small', async () => {
    await publish(500);
    expect(await receive({ max: 1_000 })).toHaveLength(500);
  });

  it('hands out at most as many as asked for, each once, from all queues', async () => {
    await publish(10);
    const first = await receive({ max: 4 });
    const second = await receive({ max: 4 });
    const third = await receive({ max: 4 });
    expect([first, second, third].map(({ length }) => length)).toEqual([4, 4, 2]);
    expect(bodies([...first, ...second, ...third])).toEqual(
      Array.from({ length: 10 }, (_, n) => n),
    );
    expect(first[0]).toMatchObject({ attempt: 1, message: { topic: 'jobs' } });
  });

  it('takes an option that is undefined for one that was not given', async () => {
    await publish(2);
    const nothing = { max: undefined, maxBytes: undefined, invisibleDurationMs: undefined };
    expect(bodies(await receive(nothing as Partial<ReceiveOptions>))).toEqual([0, 1]);
  });

  it('hands out what its filter wants; the rest is settled', async () => {
    await bed.publish('jobs', 1, { tag: 'small' });
    await bed.publish('jobs', 2, { tag: 'large' });
    const filter = tags('large');
    expect(bodies(await receive({ filter }))).toEqual([2]);
    expect(await receive({ filter, invisibleDurationMs: 1 }, { passMs: 5_000 })).toEqual([]);
    await expect(receive({ filter: tags('small') })).rejects.toThrow('use another group');
    await expect(receive()).rejects.toThrow('filter is none');
    expect(await bed.deadLetters('jobs', 'workers')).toEqual([]);
  });

  it('makes a dead letter of what does not match the schema', async () => {
    const { options } = defineTopic('jobs', { schema: NUMBERS });
    await bed.publish('jobs', 'one');
    await bed.publish('jobs', 2);
    expect(bodies(await receive({ schema: options.schema! }))).toEqual([2]);
    const refused = bed.rivulet.events.next('dead-lettered');
    await bed.publish('jobs', 'three');
    expect(await receive({ schema: options.schema! })).toEqual([]);
    expect((await refused).reason).toContain(
      'does not match the schema of topic "jobs": no number',
    );
    expect(await bed.deadLetters('jobs', 'workers')).toHaveLength(2);
  });

  it('checks what each call gave a schema for, whatever calls before it said', async () => {
    await bed.publish('jobs', 'one');
    expect(bodies(await receive({ invisibleDurationMs: 1 }))).toEqual(['one']);
    expect(await receive({ schema: NUMBERS })).toEqual([]);
    expect(await bed.deadLetters('jobs', 'workers')).toHaveLength(1);
    await bed.publish('jobs', 'two');
    expect(bodies(await receive())).toEqual(['two']);
  });

  it('waits for the first message, and not for longer than it was told', async () => {
    await bed.stores.topics.declare('jobs');
    let received: ReceivedMessage[] | undefined;
    const options = { topic: 'jobs', group: 'workers', waitMs: 10_000 };
    const receiving = bed.rivulet.pulls.receive(options).then((found) => (received = found));
    await bed.advance(4_000);
    expect(received).toBeUndefined();
    await bed.publish('jobs', 'late');
    await bed.advance(1_000);
    expect(bodies((await receiving)!)).toEqual(['late']);
    expect(await receive({ waitMs: 3_000 }, { passMs: 3_100 })).toEqual([]);
  });

  it('hands out no more what was acked', async () => {
    await publish(1);
    const [job] = await receive();
    const acked = bed.rivulet.events.next('acked');
    await bed.rivulet.pulls.ack(job!.receipt);
    expect(await acked).toMatchObject({ group: 'workers', messageId: job!.message.messageId });
    await bed.advance(120_000);
    expect(await receive()).toEqual([]);
  });

  it('hands out again what was not settled in time; its old receipt is void', async () => {
    await publish(1);
    const [job] = await receive({ invisibleDurationMs: 30_000 });
    expect(await receive({}, { passMs: 29_000 })).toEqual([]);
    await bed.advance(1_000);
    const [again] = await receive();
    expect(again).toMatchObject({ attempt: 2, body: 0 });
    await expect(bed.rivulet.pulls.ack(job!.receipt)).rejects.toThrow(ReceiptExpiredError);
    await bed.rivulet.pulls.ack(again!.receipt);
    await expect(bed.rivulet.pulls.ack(again!.receipt)).rejects.toThrow('settled already');
  });

  it('hides it for longer, or gives it back at once, when told to', async () => {
    await publish(1);
    const [job] = await receive({ invisibleDurationMs: 10_000 });
    await bed.rivulet.pulls.changeInvisibleDuration(job!.receipt, 60_000);
    expect(await receive({}, { passMs: 59_000 })).toEqual([]);
    await bed.rivulet.pulls.changeInvisibleDuration(job!.receipt, 0);
    expect(await receive()).toMatchObject([{ attempt: 2 }]);
  });

  it('makes a dead letter of what is rejected', async () => {
    await publish(1);
    const [job] = await receive();
    await bed.rivulet.pulls.reject(job!.receipt, 'no such customer');
    expect(await bed.deadLetters('jobs', 'workers')).toMatchObject([
      { reason: 'no such customer' },
    ]);
    await bed.advance(120_000);
    expect(await receive()).toEqual([]);
  });

  it('makes a dead letter of what was handed out sixteen times in vain', async () => {
    await publish(1);
    for (let attempt = 1; attempt <= 16; attempt++)
      expect(await receive({ invisibleDurationMs: 1 })).toMatchObject([{ attempt }]);
    expect(await receive()).toEqual([]);
    expect(await bed.deadLetters('jobs', 'workers')).toMatchObject([
      { reason: 'was not acknowledged in 16 attempts' },
    ]);
  });

  it('is settled by any process, also after the one that received has died', async () => {
    const dying = await another();
    await publish(2);
    const [one, two] = await receive({ max: 2 }, { on: dying });
    dying.crash();
    await bed.rivulet.pulls.ack(one!.receipt);
    await bed.advance(60_000);
    expect(await receive()).toMatchObject([{ attempt: 2, body: two!.body }]);
  });

  it('shares the messages of a group with a handler in another process', async () => {
    const handling = await another();
    await publish(1);
    const [job] = await receive({ invisibleDurationMs: 5_000 });
    await handling.subscribe({ topic: 'jobs', group: 'workers' });
    await bed.advance(6_000);
    expect(await handling.nextDelivery('workers')).toMatchObject({ attempt: 2, body: job!.body });
  });

  it('loses nothing with a reply that is lost', async () => {
    await publish(1);
    await bed.publish('other', 'x');
    await receive({ topic: 'other' });
    const { openReader } = bed.stores.deliveries;
    bed.stores.deliveries.openReader = (group, consumer) => {
      const reader = openReader.call(bed.stores.deliveries, group, consumer);
      const { read } = reader;
      reader.read = async (request) => {
        reader.read = read;
        await read.call(reader, { ...request, perQueue: 100 });
        throw new Error('the reply was lost');
      };
      return reader;
    };
    for (let tries = 0; tries < 3; tries++) await receive({ max: 3 }).catch(() => []);
    await bed.advance(20_000);
    expect(await receive({ max: 3 })).toMatchObject([{ attempt: 1, body: 0 }]);
  });

  it('makes no topic of a name that nobody else knows', async () => {
    await publish(1);
    await expect(receive({ topic: 'jbos' })).rejects.toThrow(
      'Topic "jbos" does not exist, did you mean "jobs"? It is made by the first send to it',
    );
    expect(await bed.stores.topics.list()).toEqual(['jobs']);
    await bed.publish('jbos', 'now it exists');
    expect(bodies(await receive({ topic: 'jbos' }))).toEqual(['now it exists']);
  });

  it('takes one topic at a time, by its name', async () => {
    await expect(receive({ topic: 'job.*' })).rejects.toThrow(
      'one call receives from one topic: subscribe to "job.*" with a handler',
    );
  });

  it('rejects with a reason, which the dead letter keeps', async () => {
    await publish(1);
    const [job] = await receive({ invisibleDurationMs: 30_000 });
    const reject = (why: unknown) => bed.rivulet.pulls.reject(job!.receipt, why as string);
    await expect(reject(undefined)).rejects.toThrow('the reason must be a text');
    await expect(reject({})).rejects.toThrow('the reason must be a text');
    await reject(`no ${'customer '.repeat(10_000)}`);
    const [letter] = await bed.deadLetters('jobs', 'workers');
    expect(letter!.reason).toHaveLength(1_000);
  });

  it('ends with the shutdown', async () => {
    await bed.stores.topics.declare('jobs');
    const receiving = bed.rivulet.pulls.receive({
      topic: 'jobs',
      group: 'workers',
      waitMs: 60_000,
    });
    const ended = receiving.catch((error: unknown) => error);
    await bed.advance(100);
    await bed.close();
    expect(await ended).toBeInstanceOf(ClosedError);
  });

  it.each<[object, string]>([
    [{ max: 0 }, 'max must be an integer from 1 to 1000, got: 0'],
    [{ waitMs: -1 }, 'waitMs must be an integer from 0 to 60000'],
    [{ invisibleDurationMs: 0 }, 'invisibleDurationMs must be an integer from 1 to 43200000'],
    [{ group: '' }, 'group must be 1 to 120 characters'],
    [{ invisibleMs: 5 }, 'unknown option "invisibleMs"'],
  ])('is refused with %j', async (options, problem) => {
    await expect(receive(options)).rejects.toThrow(InvalidInputError);
    await expect(receive(options)).rejects.toThrow(problem);
  });

  it.each([undefined, '', 'x', Buffer.from('[1,2]').toString('base64url')])(
    'refuses %j as a receipt',
    async (receipt) => {
      await expect(bed.rivulet.pulls.ack(receipt as string)).rejects.toThrow(
        'it must be the receipt of a received message',
      );
    },
  );
});
