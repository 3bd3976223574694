import { bytesOf } from '../../../lib/core/message/frame.js';
import { StoreUnavailableError } from '../../../lib/core/message/errors.js';
import { MessageAdmin } from '../../../lib/inspect/message-admin.js';
import { TestBed } from '../../../lib/testing/test-bed.js';

describe('a transaction without a database', () => {
  let bed: TestBed;
  let asked: unknown[] = [];

  beforeEach(async () => {
    bed = await TestBed.open();
    asked = [];
    bed.rivulet.checks.answer(
      'place-order',
      (message) => {
        asked.push(message.body);
        return 'unknown';
      },
      'Orders.wasPlaced',
    );
  });

  afterEach(() => bed.close());

  async function visible(): Promise<unknown[]> {
    await bed.advance(1);
    return (await bed.sent('orders')).map(({ body }) => body);
  }

  const place = (work: () => Promise<unknown>): Promise<unknown> =>
    bed.rivulet.halfFirst.run(work, {
      topic: 'orders',
      body: { id: 1 },
      options: { name: 'place-order', key: 'order-1' },
    });

  it('has stored its message, invisibly, before it runs, and shows it when it returns', async () => {
    let during: unknown[] = [];
    const result = await place(async () => {
      during = await visible();
      return 'result';
    });
    expect(result).toBe('result');
    expect(during).toEqual([]);
    expect(await bed.sent('orders')).toMatchObject([{ body: { id: 1 }, key: 'order-1' }]);
  });

  it('drops its message when it throws, and throws the same error', async () => {
    const error = new Error('the bank says no');
    await expect(place(() => Promise.reject(error))).rejects.toBe(error);
    expect(await visible()).toEqual([]);
  });

  it('is not run when its topic changes again and again', async () => {
    const { halves } = bed.stores;
    let asked = 0;
    halves.prepare = async (call) => {
      asked += 1;
      return call.halves.map(({ id }) => ({ id, state: 'moved', generation: 7 }));
    };
    let ran = false;
    await expect(place(async () => (ran = true))).rejects.toThrow(
      /was not stored: topic "orders" changes again and again/,
    );
    expect({ ran, asked }).toEqual({ ran: false, asked: 4 });
  });

  it('is not run when its message cannot be stored', async () => {
    await bed.publish('orders', 'before');
    bed.stores.goDown();
    let ran = false;
    const placed = place(async () => (ran = true));
    placed.catch(() => undefined);
    await bed.advance(15_000);
    await expect(placed).rejects.toMatchObject({ code: 'SEND_FAILED' });
    expect(ran).toBe(false);
  });

  it('answers its caller also when the store does not confirm the commit', async () => {
    const placed = place(async () => {
      bed.stores.goDown();
      return 'done';
    });
    await bed.advance(10_000);
    expect(await placed).toBe('done');
  });

  it('adds nothing to the line that says the store is away', async () => {
    const warned: string[] = [];
    const warn = (line: string): void => void warned.push(line);
    const other = await TestBed.open({ logger: { error: warn, warn, log() {}, debug() {} } });
    const { checks, halfFirst } = other.rivulet;
    checks.answer('place-order', () => 'unknown', 'Orders.wasPlaced');
    const message = { topic: 'orders', body: 1, options: { name: 'place-order' } };
    let end = (): void => {};
    const work = new Promise<void>((resolve) => (end = resolve));
    const placed = halfFirst.run(() => work, message);
    await other.advance(1);
    other.stores.goDown();
    const refused = halfFirst.run(() => work, message);
    refused.catch(() => undefined);
    await other.advance(30_000);
    await expect(refused).rejects.toMatchObject({ code: 'SEND_FAILED' });
    end();
    await other.advance(15_000);
    await placed;
    expect(warned).toEqual([expect.stringContaining('is away')]);
    await other.close();
  });

  it('asks nobody while it runs, however long that takes', async () => {
    await place(() => bed.advance(60_000));
    expect(asked).toEqual([]);
    expect(await visible()).toEqual([{ id: 1 }]);
  });

  it('is asked about, though it runs, once it has taken longer than a transaction may', async () => {
    await place(() => bed.advance(610_000));
    expect(asked.length).toBeGreaterThan(0);
  });

  it('is not asked about once the process stops to consume, though sending goes on', async () => {
    let end = (): void => {};
    const placed = place(() => new Promise<void>((resolve) => (end = resolve)));
    await bed.advance(1);
    await bed.rivulet.stopConsuming();
    await bed.advance(2 * 3_600_000);
    expect(asked).toEqual([]);
    end();
    await placed;
  });

  it('leaves nothing to ask about when it was not run because nobody knew whether its message is stored', async () => {
    await bed.publish('orders', 'before');
    const { halves } = bed.stores;
    const { prepare } = halves;
    halves.prepare = async (call) => {
      await prepare.call(halves, call);
      throw new StoreUnavailableError('the reply was lost');
    };
    const placed = place(async () => 'never');
    placed.catch(() => undefined);
    await bed.advance(10_000);
    halves.prepare = prepare;
    await expect(placed).rejects.toMatchObject({ code: 'SEND_FAILED' });
    // While it was tried for longer than a half may lack a decision, somebody was asked.
    asked = [];
    await bed.advance(60_000);
    expect(asked).toEqual([]);
    expect(await visible()).toEqual(['before']);
  });

  it('tells its caller when an operator had rolled its message back meanwhile', async () => {
    const admin = new MessageAdmin({ rivulet: bed.rivulet });
    const placed = place(async () => {
      const { halves } = await admin.listHalves('orders');
      await admin.rollbackTransaction(halves[0]!.transactionId, { force: true });
      return 'done';
    });
    await expect(placed).rejects.toMatchObject({ code: 'ALREADY_DECIDED', decision: 'rollback' });
    expect(await visible()).toEqual([]);
  });

  it('sends what its body sends at once: only its own message waits for it', async () => {
    await expect(
      place(async () => {
        await bed.publish('orders', 'other');
        throw new Error('no');
      }),
    ).rejects.toThrow('no');
    expect(await visible()).toEqual(['other']);
  });

  it('is refused when nobody could say what became of it', async () => {
    const { halfFirst } = bed.rivulet;
    await expect(halfFirst.prepare('orders', 1, { name: 'place-oder' })).rejects.toThrow(
      /@TransactionCheck\('place-oder'\), did you mean "place-order"/,
    );
  });

  it('may be decided by hand, once and for all', async () => {
    const { halfFirst } = bed.rivulet;
    const kept = await halfFirst.prepare('orders', 'kept', { name: 'place-order' });
    const dropped = await halfFirst.prepare('orders', 'dropped', { name: 'place-order' });
    expect(await visible()).toEqual([]);
    const result = await kept.commit();
    expect(result).toMatchObject({ state: 'stored', messageId: kept.messageId, topic: 'orders' });
    expect(await kept.commit()).toEqual(result);
    await dropped.rollback();
    await dropped.rollback();
    await expect(dropped.commit()).rejects.toMatchObject({
      code: 'ALREADY_DECIDED',
      decision: 'rollback',
    });
    await expect(kept.rollback()).rejects.toMatchObject({ decision: 'commit' });
    expect(await visible()).toEqual(['kept']);
  });
});

describe('the answer of a check method', () => {
  it('is "unknown" unless it is one of the three words, given in time', async () => {
    const bed = await TestBed.open();
    const { checks, producer } = bed.rivulet;
    const { message } = await producer.outgoing(
      'orders',
      { id: 7 },
      {
        options: { key: 'k' },
        lookUpTopic: async () => undefined,
      },
    );
    const half = { topic: 'orders', queue: 0, id: 'tx', frame: bytesOf(message.frame) };
    const answers: Record<string, () => unknown> = {
      commit: () => 'commit',
      rollback: async () => 'rollback',
      unknown: () => 'unknown',
      nothing: () => undefined,
      truth: () => true,
      throws: () => {
        throw new Error('the database is down');
      },
      rejects: () => Promise.reject(new Error('the database is down')),
      throwsNothing: () => {
        throw null;
      },
      never: () => new Promise(() => undefined),
    };
    const seen: unknown[] = [];
    for (const [name, answer] of Object.entries(answers))
      checks.answer(
        name,
        (view) => {
          seen.push([view.body, view.key, view.transactionId, view.messageId]);
          return answer();
        },
        name,
      );
    const asked = Object.keys(answers).map((name) => checks.ask(name, half));
    await bed.advance(30_000);
    expect(await Promise.all(asked)).toEqual([
      'commit',
      'rollback',
      ...Array.from({ length: 7 }, () => 'unknown'),
    ]);
    expect(await checks.ask('nobody', half)).toBe('unknown');
    expect(seen[0]).toEqual([{ id: 7 }, 'k', 'tx', message.messageId]);
    expect(() => checks.answer('commit', () => 'commit', 'B.two')).toThrow(
      'both commit and B.two answer for it',
    );
    await bed.close();
  });
});
