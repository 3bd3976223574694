import { jest } from '@jest/globals';
import { defineTopic } from '../../../lib/core/message/topic.js';
import { TestBed } from '../../../lib/testing/test-bed.js';
import type { MemoryTransaction } from '../../../lib/testing/memory-database.js';
import { inQueues } from './in-queues.js';

/** What consumers could see, in the order it was sent. */
async function visible(bed: TestBed, topic = 'orders'): Promise<unknown[]> {
  await bed.advance(1);
  return (await bed.sent(topic)).map(({ body }) => body);
}

describe('a transaction', () => {
  let bed: TestBed;

  beforeEach(async () => {
    bed = await TestBed.open();
  });

  afterEach(() => bed.close());

  const run = <R>(body: (tx: MemoryTransaction) => Promise<R>): Promise<R> =>
    bed.rivulet.transactions.run(body);

  it('goes on after a send that was refused later, and whose error was caught', async () => {
    const issues = [{ message: 'not an order' }];
    const validate = async (value: unknown) => (value === 'order' ? { value } : { issues });
    const schema = { '~standard': { version: 1, vendor: 'test', validate } } as const;
    const orders = defineTopic('orders', { schema });
    await run(async () => {
      await expect(bed.publish(orders, 'nonsense')).rejects.toThrow('not an order');
      await bed.publish(orders, 'order');
    });
    expect(await visible(bed)).toEqual(['order']);
  });

  it('makes rows and messages visible together, when it has committed', async () => {
    let during: unknown[] = [];
    const result = await run(async (tx) => {
      tx.set('order-1', { paid: false });
      const sent = await bed.publish('orders', { id: 1 }, { key: 'order-1' });
      expect(sent).toMatchObject({
        state: 'half',
        offset: null,
        topic: 'orders',
        duplicate: false,
      });
      during = await visible(bed);
      return sent.messageId;
    });
    expect(during).toEqual([]);
    expect(bed.database.get('order-1')).toEqual({ paid: false });
    expect(await visible(bed)).toEqual([{ id: 1 }]);
    expect(await bed.sent('orders')).toMatchObject([{ messageId: result, key: 'order-1' }]);
  });

  it('leaves no row and no message when its body throws, and throws the same error', async () => {
    const error = new Error('no stock');
    const failing = run(async (tx) => {
      tx.set('order-1', {});
      await bed.publish('orders', { id: 1 });
      throw error;
    });
    await expect(failing).rejects.toBe(error);
    expect(bed.database.get('order-1')).toBeUndefined();
    expect(await visible(bed)).toEqual([]);
  });

  it('leaves no half behind when its marker is refused: nobody has to ask about it', async () => {
    const { queues } = await bed.rivulet.topics.get('orders');
    const mark = jest.spyOn(bed.database, 'mark').mockRejectedValue(new Error('no marker'));
    const prepare = jest.spyOn(bed.stores.halves, 'prepare');
    const failing = bed.rivulet.transactions.run(() => bed.publish('orders', 1));
    await expect(failing).rejects.toThrow('no marker');
    expect([mark, prepare].map(({ mock }) => mock.calls.length)).toEqual([1, 1]);
    await bed.advance(1);
    for (let queue = 0; queue < queues; queue++)
      expect(await bed.stores.halves.count({ topic: 'orders', queue })).toEqual({
        waiting: 0,
        parked: 0,
      });
  });

  it('keeps the order of its messages in a queue, also of those nobody awaited', async () => {
    await run(async () => {
      const sends = [1, 2, 3].map((id) => bed.publish('orders', id));
      await bed.publish('orders', 4);
      void sends;
      void bed.publish('orders', 5);
    });
    expect(await inQueues(bed)).toEqual([1, 2, 3, 4, 5]);
    expect(new Set((await bed.sent('orders')).map(({ queue }) => queue)).size).toBe(1);
  });

  it('lists its queues for the back-check again where the store is back, which may have forgotten them', async () => {
    await run(() => bed.publish('orders', 1));
    const noted: string[] = [];
    const { halves } = bed.stores;
    const agendaOf = halves.agenda.bind(halves);
    halves.agenda = (board) => {
      const agenda = agendaOf(board);
      const note = (work: string, at: number): Promise<void> => {
        noted.push(work);
        return agenda.note(work, at);
      };
      return Object.assign(Object.create(agenda), { note });
    };
    bed.stores.goDown();
    bed.stores.comeUp();
    await bed.advance(1);
    expect(noted).toEqual([expect.stringContaining('/orders/')]);
  });

  it('takes a body that returns no promise, as one of JavaScript may', async () => {
    let sent: Promise<unknown> | undefined;
    const body = (): string => {
      sent = bed.publish('orders', 'order');
      return 'done';
    };
    expect(await run(body as never)).toBe('done');
    expect(await sent).toMatchObject({ state: 'half' });
    expect(await visible(bed)).toEqual(['order']);
  });

  it('sends to several topics under one verdict', async () => {
    await run(async () => {
      await bed.publish('orders', 'a', { messageGroup: 'x' });
      await bed.publish('mails', 'b', { delayMs: 1_000 });
    });
    expect(await visible(bed)).toEqual(['a']);
    await bed.advance(2_000);
    expect(await visible(bed, 'mails')).toEqual(['b']);
  });

  it('is not touched by what is sent around it, or with transaction: false', async () => {
    const failing = run(async () => {
      await bed.publish('orders', 'apart', { transaction: false });
      throw new Error('no');
    });
    await expect(failing).rejects.toThrow('no');
    await bed.publish('orders', 'around');
    expect(await visible(bed)).toEqual(['apart', 'around']);
  });

  it('refuses what is sent after its end', async () => {
    let late: Promise<unknown> | undefined;
    let go = (): void => {};
    const gate = new Promise<void>((resolve) => (go = resolve));
    await run(async () => {
      late = gate.then(() => bed.publish('orders', 'late'));
    });
    go();
    await expect(late).rejects.toMatchObject({ code: 'TRANSACTION_ENDED' });
    expect(await visible(bed)).toEqual([]);
  });

  it('is rolled back when a send that nobody awaited is refused after the body ended', async () => {
    const schema = {
      '~standard': {
        version: 1 as const,
        vendor: 'test',
        validate: async () => ({ issues: [{ message: 'no' }] }),
      },
    };
    const failing = run(async (tx) => {
      tx.set('order-1', {});
      bed.publish(defineTopic('checked', { schema }), 'x').catch(() => undefined);
    });
    await expect(failing).rejects.toMatchObject({ code: 'SCHEMA' });
    expect(bed.database.get('order-1')).toBeUndefined();
  });

  it('goes on when a send is refused and its code deals with that', async () => {
    await run(async () => {
      await expect(bed.publish('orders', 'x', { ttlMs: -1 })).rejects.toThrow('ttlMs');
      await bed.publish('orders', 'y');
    });
    expect(await visible(bed)).toEqual(['y']);
  });

  it('costs the database nothing when nothing is sent', async () => {
    await run(async (tx) => tx.set('order-1', 1));
    expect(bed.database.verdicts.size).toBe(0);
    expect(bed.database.get('order-1')).toBe(1);
  });
});
