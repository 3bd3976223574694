import { sleep } from '../../../lib/core/runtime/clock.js';
import { queuesOf } from '../../../lib/core/store/refs.js';
import type { MemoryTransaction } from '../../../lib/testing/memory-database.js';
import { TestBed } from '../../../lib/testing/test-bed.js';

describe('a COMMIT that is not answered', () => {
  let bed: TestBed;

  beforeEach(async () => {
    bed = await TestBed.open();
  });

  afterEach(() => bed.close());

  const place = (): Promise<string> =>
    bed.rivulet.transactions.run(async (tx: MemoryTransaction) => {
      tx.set('order-1', 'placed');
      await bed.publish('orders', 'placed');
      return 'result';
    });

  async function visible(): Promise<unknown[]> {
    await bed.advance(1);
    return (await bed.sent('orders')).map(({ body }) => body);
  }

  /** Messages that wait for a decision. */
  async function halves(): Promise<number> {
    const queues = queuesOf(await bed.rivulet.topics.get('orders'));
    const counts = await Promise.all(queues.map((ref) => bed.stores.halves.count(ref)));
    return counts.reduce((sum, { waiting }) => sum + waiting, 0);
  }

  it('is asked for: the caller gets the result when it was carried out', async () => {
    bed.database.loseNextCommit('carried-out');
    expect(await place()).toBe('result');
    expect(await visible()).toEqual(['placed']);
  });

  it('is asked for: the caller gets the error when it was not', async () => {
    bed.database.loseNextCommit('not-carried-out');
    await expect(place()).rejects.toThrow('The answer to COMMIT was lost');
    expect(bed.database.get('order-1')).toBeUndefined();
    expect(await visible()).toEqual([]);
    expect([...bed.database.verdicts.values()]).toEqual(['rollback']);
    expect(await halves()).toBe(0);
  });

  it('is asked for again when the database does not know at once: its connection may have to be given up first', async () => {
    const { database } = bed;
    database.loseNextCommit('carried-out');
    const decide = database.decide.bind(database);
    let questions = 0;
    database.decide = (ids) => (++questions < 3 ? Promise.resolve(new Map()) : decide(ids));
    const placed = place();
    await bed.advance(500);
    expect(await placed).toBe('result');
    expect(questions).toBe(3);
  });

  it('is asked for no longer than a caller should wait', async () => {
    await bed.close();
    // So that nobody else asks meanwhile.
    bed = await TestBed.open({ settings: { transactions: { checkAfterMs: 60_000 } } });
    bed.database.loseNextCommit('carried-out');
    let questions = 0;
    bed.database.decide = async () => {
      questions += 1;
      await sleep(bed.clock, 5_001);
      return new Map();
    };
    const failing = place();
    failing.catch(() => undefined);
    await bed.advance(5_001);
    await expect(failing).rejects.toMatchObject({ code: 'IN_DOUBT' });
    expect(questions).toBe(1);
  });

  it.each([
    ['does not know', () => Promise.resolve(new Map())],
    ['cannot be asked', () => Promise.reject(new Error('no connection'))],
  ])('leaves the caller in doubt, with the id, when the database %s', async (_, answer) => {
    const told = bed.rivulet.events.next('in-doubt');
    const failing = bed.rivulet.transactions.run(async (tx: MemoryTransaction) => {
      tx.set('order-1', 'placed');
      await bed.publish('orders', 'placed');
      setImmediate(() => undefined);
    });
    bed.database.loseNextCommit('carried-out');
    const asked = bed.database.decide.bind(bed.database);
    bed.database.decide = answer;
    failing.catch(() => undefined);
    await bed.advance(10_000);
    const { transactionId } = await told;
    await expect(failing).rejects.toMatchObject({ code: 'IN_DOUBT', transactionId });
    expect(await visible()).toEqual([]);
    bed.database.decide = asked;
  });

  it('is none where COMMIT was never sent: what failed before it is the answer, also while nobody can be asked', async () => {
    const failing = bed.rivulet.transactions.run(async (tx: MemoryTransaction) => {
      tx.set('order-1', 'placed');
      await bed.publish('orders', 'placed');
      bed.database.goDown();
    });
    await expect(failing).rejects.toThrow('The memory database is down');
    bed.database.comeUp();
    expect(await visible()).toEqual([]);
  });

  it('changes nothing for a transaction that sent nothing: its error is the answer', async () => {
    bed.database.loseNextCommit('carried-out');
    const failing = bed.rivulet.transactions.run(async (tx: MemoryTransaction) => tx.set('a', 1));
    await expect(failing).rejects.toThrow('The answer to COMMIT was lost');
    expect(bed.database.verdicts.size).toBe(0);
  });

  it('sends the messages of the last run only when the database runs the body again', async () => {
    const { database } = bed;
    const once = database.run.bind(database);
    database.run = async (body) => {
      await once(async (tx) => {
        await body(tx);
        throw new Error('TransientTransactionError');
      }).catch(() => undefined);
      return once(body);
    };
    let runs = 0;
    await bed.rivulet.transactions.run(async () => bed.publish('orders', `run ${++runs}`));
    expect(await visible()).toEqual(['run 2']);
    expect(bed.database.verdicts.size).toBe(1);
  });

  it('fails a transaction that takes longer than it may, and sends nothing', async () => {
    const failing = bed.rivulet.transactions.run(async (tx: MemoryTransaction) => {
      tx.set('order-1', 'placed');
      await bed.publish('orders', 'placed');
      await bed.clock.advance(600_000);
    });
    await expect(failing).rejects.toMatchObject({ code: 'MARKER_REFUSED', reason: 'too-late' });
    expect(bed.database.get('order-1')).toBeUndefined();
    expect(await visible()).toEqual([]);
  });

  it.each([
    ['its marker', async () => bed.clock.advance(600_000), 'took longer than it may'],
    ['its body', async () => Promise.reject(new Error('out of stock')), 'out of stock'],
  ])(
    'is not taken for one when somebody in between swallowed an error of %s',
    async (_, fail, why) => {
      const { database } = bed;
      const placed = bed.rivulet.transactions.manage(
        'default',
        async () => {
          await bed.publish('orders', 'x');
          await fail();
        },
        { begin: (body) => database.run(body).catch(() => undefined as never) },
      );
      await expect(placed).rejects.toThrow(why);
      expect(await visible()).toEqual([]);
    },
  );
});
