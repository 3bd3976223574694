import { setImmediate as nextTurn } from 'node:timers/promises';
import { MemoryParticipant } from '../../../lib/testing/memory-participant.js';
import type { MemoryTransaction } from '../../../lib/testing/memory-database.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';
import { TestBed } from '../../../lib/testing/test-bed.js';
import { gate } from '../../participants/ids.js';
import { inQueues } from './in-queues.js';

describe('a transaction inside another', () => {
  let bed: TestBed;

  beforeEach(async () => {
    bed = await TestBed.open();
  });

  afterEach(() => bed.close());

  const { run } = {
    run: <R>(
      body: (tx: MemoryTransaction) => Promise<R>,
      propagation?: 'required' | 'requires-new' | 'nested',
    ): Promise<R> => bed.rivulet.transactions.run(body, propagation && { propagation }),
  };

  async function visible(): Promise<unknown[]> {
    await bed.advance(1);
    return (await bed.sent('orders')).map(({ body }) => body);
  }

  it('is a part of it: one commit, one rollback', async () => {
    await run(async (tx) => {
      await run(async (inner) => {
        expect(inner).toBe(tx);
        await bed.publish('orders', 'inner');
      });
      expect(await visible()).toEqual([]);
      await bed.publish('orders', 'outer');
    });
    expect(await inQueues(bed)).toEqual(['inner', 'outer']);
    expect(bed.database.verdicts.size).toBe(1);
  });

  it('is rolled back with it', async () => {
    const failing = run(async () => {
      await run(() => bed.publish('orders', 'inner'));
      throw new Error('outer failed');
    });
    await expect(failing).rejects.toThrow('outer failed');
    expect(await visible()).toEqual([]);
  });

  it('is decided by itself with "requires-new"', async () => {
    const failing = run(async () => {
      await bed.publish('orders', 'outer');
      await run(() => bed.publish('orders', 'inner'), 'requires-new');
      throw new Error('outer failed');
    });
    await expect(failing).rejects.toThrow('outer failed');
    expect(await visible()).toEqual(['inner']);
  });

  it('is a savepoint with "nested": its failure undoes its own rows and messages only', async () => {
    await run(async (tx) => {
      await bed.publish('orders', 1);
      tx.set('outer', 1);
      const inner = run(async (level) => {
        level.set('inner', 1);
        await bed.publish('orders', 'dropped');
        throw new Error('inner failed');
      }, 'nested');
      await expect(inner).rejects.toThrow('inner failed');
      await run(() => bed.publish('orders', 2), 'nested');
      await bed.publish('orders', 3);
    });
    expect(await inQueues(bed)).toEqual([1, 2, 3]);
    expect([bed.database.get('outer'), bed.database.get('inner')]).toEqual([1, undefined]);
  });

  it('ends also where its savepoint is tried again, without what the first try sent', async () => {
    const participant = bed.rivulet.transactions.participant();
    const nested = participant.nested!.bind(participant);
    participant.nested = (tx, body) => nested(tx, body).catch(() => nested(tx, body));
    let tries = 0;
    await run(() =>
      run(async () => {
        await bed.publish('orders', ++tries);
        if (tries === 1) throw new Error('serialization failure');
      }, 'nested'),
    );
    expect(await inQueues(bed)).toEqual([2]);
  });

  it('keeps the order of the calls between a savepoint and what is sent beside it', async () => {
    const outside = gate();
    await run(async () => {
      const nested = run(async () => {
        await bed.publish('orders', 1);
        outside.open();
        await nextTurn();
        await bed.publish('orders', 3);
      }, 'nested');
      await outside.opened;
      await bed.publish('orders', 2);
      await nested;
    });
    expect(await inQueues(bed)).toEqual([1, 2, 3]);
  });

  it('lets savepoints that are called at once take turns: one that fails undoes no other', async () => {
    const begun: string[] = [];
    const outside = gate();
    const line = (name: string): Promise<unknown> =>
      run(async (level) => {
        begun.push(name);
        level.set(name, 1);
        await bed.publish('orders', name);
        await outside.opened;
        if (name === 'first') throw new Error('first failed');
      }, 'nested');
    await run(async () => {
      const lines = ['first', 'second', 'third'].map(line);
      await nextTurn();
      expect(begun).toEqual(['first']);
      outside.open();
      const ends = await Promise.allSettled(lines);
      expect(ends.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'fulfilled']);
    });
    expect(begun).toEqual(['first', 'second', 'third']);
    expect(await inQueues(bed)).toEqual(['second', 'third']);
    expect(['first', 'second', 'third'].map((name) => bed.database.get(name))).toEqual([
      undefined,
      1,
      1,
    ]);
  });

  it('fails with a savepoint whose turn had not come when its body ended', async () => {
    const outside = gate();
    const calls: Promise<unknown>[] = [];
    const ended = run(async () => {
      calls.push(run(() => outside.opened, 'nested'));
      calls.push(run(() => bed.publish('orders', 'late'), 'nested'));
    });
    const ends = Promise.allSettled([ended, ...calls]);
    outside.open();
    expect(await ends).toMatchObject([
      { reason: { code: 'TRANSACTION_ENDED' } },
      { status: 'fulfilled' },
      { reason: { code: 'TRANSACTION_ENDED' } },
    ]);
    expect(await visible()).toEqual([]);
  });

  it('is over before the whole is rolled back, if it had to wait for its turn', async () => {
    const [first, second] = [gate(), gate()];
    const ends: string[] = [];
    const failed = new Error('no stock');
    const failing = run(async () => {
      const own = run(() => first.opened, 'nested');
      void run(async () => {
        await second.opened;
        ends.push('savepoint');
      }, 'nested');
      first.open();
      await own;
      await nextTurn();
      throw failed;
    })
      .catch((error: unknown) => error)
      .finally(() => ends.push('whole'));
    await nextTurn();
    await nextTurn();
    expect(ends).toEqual([]);
    second.open();
    expect(await failing).toBe(failed);
    expect(ends).toEqual(['savepoint', 'whole']);
  });

  it('is not what hears of its messages: that belongs to no transaction', async () => {
    bed.rivulet.events.on('published', ({ topic }) => {
      if (topic === 'orders') void bed.publish('heard', 1);
    });
    const failing = run(async () => {
      await run(() => bed.publish('orders', 'inner'), 'requires-new');
      await bed.advance(1);
      throw new Error('outer failed');
    });
    await expect(failing).rejects.toThrow('outer failed');
    expect(await inQueues(bed, 'heard')).toEqual([1]);
  });

  it.each(['succeeded', 'failed'])(
    'refuses what is sent in a savepoint after it %s',
    async (how) => {
      await run(async () => {
        let late: Promise<unknown> | undefined;
        const ended = gate();
        const nested = run(async () => {
          late = ended.opened.then(() => bed.publish('orders', 'late'));
          if (how === 'failed') throw new Error('inner failed');
        }, 'nested');
        await nested.catch(() => undefined);
        ended.open();
        await expect(late).rejects.toMatchObject({ code: 'TRANSACTION_ENDED' });
      });
    },
  );

  it('refuses what a savepoint that nobody awaited sends after the end of the whole', async () => {
    const ended = gate();
    let inner: Promise<unknown> | undefined;
    await run(async () => {
      inner = run(async () => {
        await ended.opened;
        return bed.publish('orders', 'late');
      }, 'nested');
      inner.catch(() => undefined);
    });
    ended.open();
    await expect(inner).rejects.toMatchObject({ code: 'TRANSACTION_ENDED' });
  });

  it.each([
    ['commits what it sent, once it has ended', 'carried out'],
    ['is rolled back with it when it fails', 'failed'],
  ])('waits for a savepoint that sent and that nobody awaited: %s', async (_what, how) => {
    const [sent, ended] = [gate(), gate()];
    const whole = run(async () => {
      await bed.publish('orders', 'outer');
      const inner = run(async (level) => {
        level.set('inner', 1);
        await run(() => bed.publish('orders', 'inner'), 'nested');
        sent.open();
        await ended.opened;
        if (how === 'failed') throw new Error('inner failed');
      }, 'nested');
      inner.catch(() => undefined);
      await sent.opened;
    }).catch((error: Error) => error.message);
    await nextTurn();
    ended.open();
    expect(await whole).toBe(how === 'failed' ? 'inner failed' : undefined);
    expect(await inQueues(bed)).toEqual(how === 'failed' ? [] : ['outer', 'inner']);
    expect(bed.database.get('inner')).toBe(how === 'failed' ? undefined : 1);
  });

  it('gives its handle to whoever asks for it', async () => {
    const { transactions } = bed.rivulet;
    expect(transactions.current()).toBeUndefined();
    await run(async (tx) => {
      expect(transactions.current()).toBe(tx);
      expect(transactions.current('default')).toBe(tx);
      expect(transactions.current('other')).toBeUndefined();
    });
  });

  it('of another database is decided by itself', async () => {
    const clock = new ManualClock();
    const participants = ['orders', 'stock'].map((name) => new MemoryParticipant({ name, clock }));
    const two = await TestBed.open({ clock, settings: { transactions: { participants } } });
    const { transactions } = two.rivulet;
    await expect(transactions.run(async () => 1)).rejects.toThrow(
      'several databases take part (orders, stock): say which',
    );
    const failing = transactions.run(
      async () => {
        await two.publish('orders', 'orders');
        await transactions.run(() => two.publish('orders', 'stock'), { participant: 'stock' });
        throw new Error('no');
      },
      { participant: 'orders' },
    );
    await expect(failing).rejects.toThrow('no');
    await two.advance(1);
    expect((await two.sent('orders')).map(({ body }) => body)).toEqual(['stock']);
    await two.close();
  });

  it('refuses options nobody knows, and a database nobody has', async () => {
    const { transactions } = bed.rivulet;
    await expect(
      transactions.run(async () => 1, { propagtion: 'nested' } as object),
    ).rejects.toThrow('unknown option "propagtion", did you mean "propagation"?');
    await expect(transactions.run(async () => 1, { participant: 'defualt' })).rejects.toThrow(
      'no participant is named "defualt", did you mean "default"?',
    );
  });
});
