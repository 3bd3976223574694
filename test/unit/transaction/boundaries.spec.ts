import { setImmediate as nextTurn } from 'node:timers/promises';
import { StoreRefusedError } from '../../../lib/core/message/errors.js';
import { Rivulet } from '../../../lib/core/rivulet.js';
import { nextRun } from '../../../lib/cron/next-run.js';
import type { MemoryTransaction } from '../../../lib/testing/memory-database.js';
import { TestBed } from '../../../lib/testing/test-bed.js';
import type { TransactionParticipant } from '../../../lib/core/transaction/participant.js';

describe('where a transaction ends and others begin', () => {
  let bed: TestBed;

  beforeEach(async () => {
    bed = await TestBed.open();
  });

  afterEach(() => bed.close());

  const bodies = async (): Promise<unknown[]> => {
    await bed.advance(1);
    return (await bed.sent('orders')).map(({ body }) => body);
  };

  it('refuses a send inside a transaction that somebody else began, where that can be told', async () => {
    const database: TransactionParticipant<MemoryTransaction> = bed.database;
    let isForeign = true;
    database.foreign = () => (isForeign ? 'Wrap its adapter with withMessaging().' : undefined);
    await expect(bed.publish('orders', 'x')).rejects.toMatchObject({
      code: 'UNMANAGED_TRANSACTION',
      participant: 'default',
      message: expect.stringContaining('Wrap its adapter with withMessaging().'),
    });
    // Said explicitly: at once, whatever becomes of that transaction.
    await bed.publish('orders', 'apart', { transaction: false });
    await bed.rivulet.transactions.run(() => bed.publish('orders', 'ours'));
    isForeign = false;
    await bed.publish('orders', 'outside');
    expect(await bodies()).toEqual(['apart', 'ours', 'outside']);
  });

  it('lets a request through: somebody waits for its answer inside', async () => {
    await bed.subscribe({
      topic: 'prices',
      group: 'pricing',
      reply: true,
      handler: () => 450,
    });
    const placed = bed.rivulet.transactions.run(async () => {
      const price = await bed.rivulet.requester.request('prices', 'tea');
      await bed.publish('orders', price);
    });
    await bed.advance(100);
    await placed;
    expect(await bodies()).toEqual([450]);
  });

  it('takes transactions of others that begin with their own begin, and their savepoints', async () => {
    const { transactions } = bed.rivulet;
    const { database } = bed;
    await transactions.manage(
      'default',
      async () => {
        await bed.publish('orders', 1);
        const inner = transactions.manage(
          'default',
          async () => {
            await bed.publish('orders', 'dropped');
            throw new Error('no');
          },
          {
            isNested: true,
            begin: (body) => database.nested(transactions.current()!, body),
          },
        );
        await expect(inner).rejects.toThrow('no');
      },
      { begin: (body) => database.run(body) },
    );
    expect(await bodies()).toEqual([1]);
  });

  it('is waited for at a shutdown, with what it sent; nothing begins any more', async () => {
    let go = (): void => {};
    const gate = new Promise<void>((resolve) => (go = resolve));
    const placed = bed.rivulet.transactions.run(async () => {
      await gate;
      await bed.publish('orders', 'last');
    });
    await bed.publish('orders', 'first');
    const stopped = bed.rivulet.stop();
    await nextTurn();
    await nextTurn();
    await expect(bed.rivulet.transactions.run(async () => 1)).rejects.toMatchObject({
      code: 'CLOSED',
    });
    go();
    await placed;
    await bed.advance(100);
    await stopped;
    const other = await bed.sibling();
    expect((await other.sent('orders')).map(({ body }) => body)).toEqual(['first', 'last']);
    await other.close();
  });

  it('is not waited for at a shutdown for longer than drainMs', async () => {
    const begun = bed.clock.monotonic();
    let took: number | undefined;
    void bed.rivulet.transactions.run(() => new Promise(() => undefined));
    const stopped = bed.rivulet.stop().then(() => (took = bed.clock.monotonic() - begun));
    await bed.advance(bed.rivulet.settings.drainMs - 1);
    expect(took).toBeUndefined();
    await bed.advance(1);
    await stopped;
  });

  it('is not waited for at a shutdown once its messages were left to the back-check', async () => {
    bed.stores.halves.commit = () =>
      Promise.reject(new StoreRefusedError('not this one', { reason: 'ERR' }));
    const delayed = bed.rivulet.events.next('delivery-delayed');
    await bed.rivulet.transactions.run(() => bed.publish('orders', 'x'));
    await delayed;
    let isStopped = false;
    const stopped = bed.rivulet.stop().then(() => (isStopped = true));
    await bed.advance(bed.rivulet.settings.drainMs / 2);
    expect(isStopped).toBe(true);
    await stopped;
  });

  it('does not begin once the application has stopped, if its database was not ready before', async () => {
    const { clock, database } = bed;
    const identity = database.identity.bind(database);
    let isReady!: () => void;
    const ready = new Promise<void>((resolve) => (isReady = resolve));
    database.identity = () => ready.then(identity);
    const stores = bed.stores.sibling();
    const settings = { transactions: { participants: [database] } };
    const starting = new Rivulet({ clock, stores, settings, nextRun });
    const opened = starting.open().catch(() => undefined); // it is stopped on the way
    let hasBegun = false;
    const refused = starting.transactions
      .run(async () => void (hasBegun = true))
      .catch((error: unknown) => error);
    const stopped = starting.stop();
    await bed.advance(100);
    isReady();
    await Promise.all([stopped, opened]);
    expect(await refused).toMatchObject({ code: 'CLOSED' });
    expect(hasBegun).toBe(false);
  });

  it('holds as much as a producer may hold, and says so', async () => {
    const small = await bed.sibling({ settings: { producer: { maxBufferedMessages: 2 } } });
    const failing = small.rivulet.transactions.run(async () => {
      for (let i = 0; i < 3; i++) await small.publish('orders', i);
    });
    await expect(failing).rejects.toThrow(/would hold 3 messages .* producer.maxBufferedMessages/);
    expect(await bodies()).toEqual([]);
    await small.close();
  });

  it('counts what its savepoints send to what it may hold', async () => {
    const small = await bed.sibling({ settings: { producer: { maxBufferedBytes: 1_000 } } });
    const failing = small.rivulet.transactions.run(async () => {
      await small.publish('orders', 'x'.repeat(500));
      await small.rivulet.transactions.run(() => small.publish('orders', 'y'.repeat(500)), {
        propagation: 'nested',
      });
    });
    await expect(failing).rejects.toThrow(/would hold 2 messages of 1\d\d\d bytes/);
    expect(await bodies()).toEqual([]);
    await small.close();
  });

  it('rolls back what a full topic has no room for, before COMMIT', async () => {
    await bed.stores.topics.declare('orders', { queues: 1, maxLength: 1 });
    await bed.publish('orders', 'only');
    const failing = bed.rivulet.transactions.run(async (tx: MemoryTransaction) => {
      tx.set('order', 1);
      await bed.publish('orders', 'too much');
    });
    await expect(failing).rejects.toMatchObject({ code: 'TOPIC_FULL' });
    expect(bed.database.get('order')).toBeUndefined();
    expect(await bodies()).toEqual(['only']);
  });
});
