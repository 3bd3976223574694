import { AsyncLocalStorage } from 'node:async_hooks';
import { StoreRefusedError } from '../../../lib/core/message/errors.js';
import type { MemoryTransaction } from '../../../lib/testing/memory-database.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';
import { MemoryParticipant } from '../../../lib/testing/memory-participant.js';
import { TestBed } from '../../../lib/testing/test-bed.js';
import { inQueues } from './in-queues.js';
import type { TransactionSettings } from '../../../lib/core/transaction/transaction-settings.js';

describe('the outbox', () => {
  let bed: TestBed;

  async function open(transactions: Partial<TransactionSettings> = {}): Promise<void> {
    bed = await TestBed.open({ settings: { transactions } });
  }

  afterEach(() => bed.close());

  const place = (order: string, topic = 'orders'): Promise<void> =>
    bed.rivulet.transactions.run(async (tx: MemoryTransaction) => {
      tx.set(order, 'placed');
      await bed.publish(topic, order, { messageGroup: 'one' });
    });

  async function visible(topic = 'orders'): Promise<unknown[]> {
    const sent = await bed.sent(topic);
    return sent.filter(({ offset }) => offset !== null).map(({ body }) => body);
  }

  it('keeps messages while the store is down, and publishes them when it is back', async () => {
    await open();
    await place('before');
    await bed.advance(1);
    bed.stores.goDown();
    await place('during-1');
    await place('during-2');
    await place('during-3');
    await bed.advance(3_600_000);
    expect(bed.database.get('during-1')).toBe('placed');
    expect(bed.database.waiting).toHaveLength(3);
    expect(await visible()).toEqual(['before']);
    bed.stores.comeUp();
    await bed.advance(1_000);
    expect(await inQueues(bed)).toEqual(['before', 'during-1', 'during-2', 'during-3']);
    expect(bed.database.waiting).toEqual([]);
  });

  it('takes messages to topics that were never looked up', async () => {
    await open();
    bed.stores.goDown();
    const sent = bed.rivulet.transactions.run(async () => [
      await bed.publish('new', 1, { messageGroup: 'g' }),
      await bed.publish('new', 2),
    ]);
    expect(await sent).toMatchObject([
      { state: 'half', queue: -1 },
      { state: 'half', queue: -1 },
    ]);
    bed.stores.comeUp();
    await bed.advance(1_000);
    expect(await visible('new')).toEqual([1, 2]);
  });

  it('rolls the transaction back instead, if that is wanted', async () => {
    await open({ whenBrokerDown: 'fail' });
    await place('before');
    await bed.advance(1);
    bed.stores.goDown();
    const placed = place('during');
    placed.catch(() => undefined);
    await bed.advance(250);
    await expect(placed).rejects.toMatchObject({ code: 'BROKER_UNAVAILABLE' });
    expect(bed.database.get('during')).toBeUndefined();
    expect(bed.database.waiting).toEqual([]);
  });

  it('takes what the store did not confirm in time, and each message arrives once', async () => {
    await open();
    await place('before');
    await bed.advance(1);
    bed.stores.loseReplies(1_000);
    const placed = place('during');
    await bed.advance(1_000);
    await placed;
    expect(bed.database.waiting).toHaveLength(1);
    bed.stores.loseReplies(0);
    await bed.advance(60_000);
    expect(await visible()).toEqual(['before', 'during']);
    expect(bed.database.waiting).toEqual([]);
  });

  it('is written to from where its transaction runs, whoever else was refused with it', async () => {
    await open();
    await place('before');
    await bed.advance(1);
    const { outbox } = bed.database;
    const put = outbox.put.bind(outbox);
    const [request, writers] = [new AsyncLocalStorage<string>(), [] as unknown[]];
    outbox.put = (tx, row) => {
      writers.push(request.getStore());
      return put(tx, row);
    };
    let calls = 0;
    bed.stores.halves.prepare = () => {
      calls += 1;
      return Promise.reject(new StoreRefusedError('not this one', { reason: 'ERR' }));
    };
    await Promise.all(['a', 'b'].map((order) => request.run(order, () => place(order))));
    expect(calls).toBe(1);
    expect(writers).toEqual(['a', 'b']);
  });

  it('is the only way with store: "outbox": published by its owner, then removed', async () => {
    await open({ store: 'outbox' });
    await place('one');
    await bed.advance(1);
    expect(await visible()).toEqual(['one']);
    await bed.advance(100);
    expect(bed.database.waiting).toEqual([]);
    bed.stores.goDown();
    await place('two');
    bed.stores.comeUp();
    await bed.advance(1_000);
    expect(await visible()).toEqual(['one', 'two']);
  });

  it('is read in looks of so many bytes, however much waits', async () => {
    await open({ maxRelayBytes: 3_000 });
    await place('before');
    await bed.advance(1);
    const looks: number[] = [];
    const { outbox } = bed.database;
    const drain = outbox.drain.bind(outbox);
    outbox.drain = (options, publish) =>
      drain(options, (rows) => {
        looks.push(rows.reduce((sum, { bytes }) => sum + bytes.length, 0));
        return publish(rows);
      });
    bed.stores.goDown();
    for (let i = 0; i < 10; i++)
      await bed.rivulet.transactions.run(() => bed.publish('orders', 'x'.repeat(1_000)));
    bed.stores.comeUp();
    await bed.advance(20_000);
    expect(await visible()).toHaveLength(11);
    expect(bed.database.waiting).toEqual([]);
    expect(looks.length).toBeGreaterThanOrEqual(5);
    expect(Math.max(...looks)).toBeLessThanOrEqual(3_000);
  });

  it('of one database is emptied while another database does not answer', async () => {
    const clock = new ManualClock();
    const [away, here] = ['away', 'here'].map((name) => new MemoryParticipant({ name, clock }));
    const participants = [away!, here!];
    bed = await TestBed.open({ clock, settings: { transactions: { participants } } });
    await bed.publish('orders', 'before');
    bed.stores.goDown();
    await bed.rivulet.transactions.run(() => bed.publish('orders', 'one'), { participant: 'here' });
    away!.outbox.drain = () => new Promise(() => undefined);
    bed.stores.comeUp();
    await bed.advance(60_000);
    expect(await visible()).toEqual(['before', 'one']);
    expect(here!.waiting).toEqual([]);
  });

  it('sets aside what cannot be published, with an alarm, and publishes the others', async () => {
    await open();
    await bed.rivulet.topics.get('small');
    await bed.rivulet.stores.topics.declare('full', { queues: 1, maxLength: 1 });
    await bed.publish('full', 'first');
    const stuck: string[] = [];
    bed.rivulet.events.on('outbox-stuck', ({ error }) => stuck.push(error.message));
    bed.stores.goDown();
    for (let i = 0; i < 3; i++) await place(`full-${i}`, 'full');
    await place('small-1', 'small');
    bed.stores.comeUp();
    await bed.advance(120_000);
    expect(await visible('small')).toEqual(['small-1']);
    expect(bed.database.waiting).toHaveLength(3);
    expect(stuck).toHaveLength(3);
    expect(stuck[0]).toContain('is full');
  });

  it('counts a delay from the send, however long the store was down', async () => {
    await open();
    await place('before');
    await bed.advance(1);
    bed.stores.goDown();
    await bed.rivulet.transactions.run(() =>
      bed.publish('orders', 'later', { delayMs: 3_600_000 }),
    );
    await bed.advance(3_500_000);
    bed.stores.comeUp();
    await bed.advance(99_000);
    expect(await visible()).toEqual(['before']);
    await bed.advance(3_000);
    expect(await visible()).toEqual(['before', 'later']);
  });

  it('is emptied by others when its owner died after COMMIT', async () => {
    await open({ store: 'outbox' });
    await place('before');
    await bed.advance(1_000);
    const other = await bed.sibling({ settings: { transactions: { store: 'outbox' } } });
    // It looks ever more seldom while it finds nothing.
    await bed.advance(60_000);
    bed.stores.goDown();
    await place('orphan');
    bed.crash();
    // What is younger than 5 s is its owner's; every 5 s somebody looks.
    await other.advance(11_000);
    expect((await other.sent('orders')).map(({ body }) => body)).toEqual(['before', 'orphan']);
    expect(other.database.waiting).toEqual([]);
    await other.close();
  });
});
