import { StoreRefusedError } from '../../../lib/core/message/errors.js';
import type { SendResult } from '../../../lib/core/message/message.js';
import type { SetMessage } from '../../../lib/core/transaction/message-set.js';
import type { MemoryTransaction } from '../../../lib/testing/memory-database.js';
import { TestBed } from '../../../lib/testing/test-bed.js';

const SET: readonly SetMessage[] = [
  { topic: 'orders', body: 'order-1', queue: 0 },
  { topic: 'audit', body: 'audit-1', queue: 1 },
  { topic: 'mails', body: 'mail-1', delayMs: 60_000 },
  { topic: 'orders', body: 'order-2', queue: 0 },
];

describe('a set of messages to several topics', () => {
  let bed: TestBed;
  let other: TestBed;
  beforeEach(async () => {
    bed = await TestBed.open();
    other = await bed.sibling();
    for (const topic of ['orders', 'audit', 'mails']) await bed.rivulet.topics.get(topic);
  });
  afterEach(async () => {
    await Promise.all([bed.close(), other.close()]);
  });

  const sendAll = (messages = SET, options?: { timeoutMs?: number }): Promise<SendResult[]> =>
    bed.rivulet.sets.send(messages, options);
  const visible = async (): Promise<unknown[]> => {
    const topics = await Promise.all(['orders', 'audit', 'mails'].map((one) => other.sent(one)));
    return topics.flat().map(({ body }) => body);
  };

  it('is sent as a whole, in the order of each queue, and answers for each message', async () => {
    expect(await sendAll()).toMatchObject([
      { topic: 'orders', queue: 0, state: 'stored', duplicate: false },
      { topic: 'audit', queue: 1, state: 'stored' },
      { topic: 'mails', state: 'scheduled', offset: null },
      { topic: 'orders', queue: 0, state: 'stored' },
    ]);
    expect(await visible()).toEqual(['order-1', 'order-2', 'audit-1']);
    const mailed = other.rivulet.events.next('released');
    await bed.advance(60_000);
    await mailed;
    expect(await visible()).toEqual(['order-1', 'order-2', 'audit-1', 'mail-1']);
  });

  it('may hold nothing, or one message', async () => {
    expect(await sendAll([])).toEqual([]);
    expect(await sendAll([SET[0]!])).toMatchObject([{ state: 'stored' }]);
  });

  it('stores nothing when one message cannot be sent', async () => {
    await expect(sendAll([...SET, { topic: 'no/topic', body: 1 }])).rejects.toMatchObject({
      code: 'INVALID_INPUT',
    });
    await expect(sendAll([...SET, { topic: 'orders', body: 1, queue: 9 }])).rejects.toMatchObject({
      code: 'INVALID_INPUT',
    });
    await expect(
      sendAll([...SET, { topic: 'audit', body: 1, mandatory: true }]),
    ).rejects.toMatchObject({ code: 'UNROUTABLE' });
    expect(await visible()).toEqual([]);
  });

  it('refuses what a set cannot have, with every problem', async () => {
    const set = [{ ...SET[0], timeoutMs: 5 }, { body: 1 }] as unknown as SetMessage[];
    await expect(sendAll(set, { timeoutMS: 5 } as object)).rejects.toMatchObject({
      problems: [
        'unknown option "timeoutMS", did you mean "timeoutMs"?',
        expect.stringContaining('message 0 has a timeoutMs of its own'),
        'message 1 has no topic',
      ],
    });
  });

  it.each(['orders', 'audit'])('stores nothing when a queue of %s is full', async (full) => {
    await bed.stores.topics.alter(full, { maxLength: 1 });
    await bed.publish(full, 'before', { queue: full === 'orders' ? 0 : 1 });
    await expect(sendAll()).rejects.toMatchObject({ code: 'TOPIC_FULL', topic: full });
    await bed.advance(1);
    // Without waiting for somebody to ask.
    expect(await other.stores.halves.count({ topic: 'audit', queue: 1 })).toMatchObject({
      waiting: 0,
    });
    await bed.advance(60_000);
    expect(await visible()).toEqual(['before']);
  });

  it.each(['prepare', 'publish'] as const)(
    'is refused at once when the store has no memory for it (%s)',
    async (call) => {
      const { halves } = bed.stores;
      const cause = new StoreRefusedError('no memory', { reason: 'OOM' });
      const real = halves[call];
      halves[call] = () => Promise.reject(cause);
      await expect(sendAll()).rejects.toMatchObject({ code: 'FLOW_BLOCKED', cause });
      Object.assign(halves, { [call]: real });
      await bed.advance(60_000);
      expect(await visible()).toEqual([]);
    },
  );

  it.each([
    ['has no such queue', { topic: 'orders', body: 1, queue: 9 }, 'INVALID_INPUT'],
    ['has nobody who subscribed', { topic: 'audit', body: 1, mandatory: true }, 'UNROUTABLE'],
  ])('leaves nothing in its transaction when a topic %s', async (_why, refused, code) => {
    await bed.rivulet.transactions.run(async () => {
      await bed.publish('orders', 'before');
      await expect(sendAll([...SET, refused])).rejects.toMatchObject({ code });
      await bed.publish('orders', 'after');
    });
    await bed.advance(1);
    expect((await visible()).toSorted()).toEqual(['after', 'before']);
  });

  it('belongs to the transaction it is sent in', async () => {
    const failed = bed.rivulet.transactions.run(async () => {
      expect(await sendAll()).toMatchObject(SET.map(() => ({ state: 'half' })));
      throw new Error('no');
    });
    await expect(failed).rejects.toThrow('no');
    expect(await visible()).toEqual([]);
    await bed.rivulet.transactions.run(async (tx: MemoryTransaction) => {
      tx.set('order-1', 'placed');
      await sendAll();
    });
    await bed.advance(1);
    expect(await visible()).toEqual(['order-1', 'order-2', 'audit-1']);
  });

  it('is not sent when its process dies before the decision: another drops what is stored', async () => {
    bed.stores.halves.publish = () => {
      bed.crash();
      return new Promise(() => {});
    };
    const sending = sendAll();
    sending.catch(() => undefined);
    const checked = other.rivulet.events.next('checked');
    await other.advance(30_000);
    expect(await checked).toMatchObject({ resolution: 'rollback' });
    await other.advance(120_000);
    await expect(sending).rejects.toMatchObject({ code: 'SEND_OUTCOME_UNKNOWN' });
    expect(await visible()).toEqual([]);
  });

  it('is sent when its process dies after the decision: another shows the rest, once', async () => {
    const publish = bed.stores.halves.publish.bind(bed.stores.halves);
    bed.stores.halves.publish = async (call) => {
      const replies = await publish(call);
      bed.crash();
      return replies;
    };
    const sending = sendAll();
    await other.advance(2_000);
    // What was decided is sent, and says so.
    expect(await sending).toMatchObject([
      { state: 'stored' },
      { state: 'half' },
      { state: 'half' },
      { state: 'stored' },
    ]);
    expect(await visible()).toEqual(['order-1', 'order-2']);
    await other.advance(120_000);
    expect(await visible()).toEqual(['order-1', 'order-2', 'audit-1', 'mail-1']);
  });

  it('that somebody asked about too early is tried anew, within its time', async () => {
    const { halves } = bed.stores;
    const publish = halves.publish.bind(halves);
    let asked = 0;
    halves.publish = async (call) => {
      if (asked++ === 0) {
        const queue = { topic: call.topic, queue: call.queue, owner: call.owner };
        await halves.rollback(queue, [call.halves[0]!.id]);
      }
      return publish(call);
    };
    expect(await sendAll()).toMatchObject([{ state: 'stored' }, { state: 'stored' }, {}, {}]);
    expect(asked).toBe(2);
    await bed.advance(60_000);
    expect(await visible()).toEqual(['order-1', 'order-2', 'audit-1', 'mail-1']);
  });

  it('is parked, never dropped, when nobody asked for so long that its decision is forgotten', async () => {
    const publish = bed.stores.halves.publish.bind(bed.stores.halves);
    bed.stores.halves.publish = async (call) => {
      const replies = await publish(call);
      bed.crash();
      return replies;
    };
    const sending = sendAll();
    await bed.advance(2_000);
    await sending;
    await Promise.all([bed.close(), other.close()]);
    await bed.advance(25 * 3_600_000);
    const late = await bed.sibling();
    const parked = late.rivulet.events.next('half-parked');
    await late.advance(10_000);
    expect(await parked).toMatchObject({ topic: 'audit', messages: 1 });
    expect(await late.stores.halves.count({ topic: 'audit', queue: 1 })).toEqual({
      waiting: 0,
      parked: 1,
    });
    await late.close();
  });
});
