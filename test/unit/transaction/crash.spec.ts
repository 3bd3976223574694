import type { MemoryTransaction } from '../../../lib/testing/memory-database.js';
import { TestBed } from '../../../lib/testing/test-bed.js';

describe('a process that dies with its transaction', () => {
  let bed: TestBed;
  let other: TestBed;

  beforeEach(async () => {
    bed = await TestBed.open();
    // The topic is known, as in an application that runs for a while.
    await bed.publish('orders', 'before');
    other = await bed.sibling();
  });

  afterEach(async () => {
    bed.crash();
    await Promise.all([bed.close(), other.close()]);
  });

  const bodies = async (): Promise<unknown[]> =>
    (await other.sent('orders')).map(({ body }) => body);

  it('after COMMIT leaves its messages to another, which delivers them once', async () => {
    const commit = bed.database.run.bind(bed.database);
    bed.database.run = async (body) => {
      const result = await commit(body);
      bed.crash();
      return result;
    };
    await bed.rivulet.transactions.run(async (tx: MemoryTransaction) => {
      tx.set('order-1', 'placed');
      await bed.publish('orders', 'committed');
    });
    await bed.advance(1);
    expect(await bodies()).toEqual(['before']);
    const checked = other.rivulet.events.next('checked');
    await other.advance(30_000);
    expect(await checked).toMatchObject({ resolution: 'commit', name: 'default', messages: 1 });
    expect(other.database.get('order-1')).toBe('placed');
    expect(await bodies()).toEqual(['before', 'committed']);
  });

  it('before COMMIT leaves nothing: another drops its messages', async () => {
    const run = bed.database.run.bind(bed.database);
    bed.database.run = (body) =>
      run(async (tx) => {
        const result = await body(tx);
        bed.crash();
        return result;
      });
    const placed = bed.rivulet.transactions.run(async (tx: MemoryTransaction) => {
      tx.set('order-1', 'placed');
      await bed.publish('orders', 'lost');
    });
    placed.catch(() => undefined);
    const checked = other.rivulet.events.next('checked');
    await other.advance(60_000);
    await expect(placed).rejects.toMatchObject({ code: 'IN_DOUBT' });
    expect(await checked).toMatchObject({ resolution: 'rollback' });
    expect(other.database.get('order-1')).toBeUndefined();
    expect(await bodies()).toEqual(['before']);
  });

  it('in doubt is settled once the database can be asked again', async () => {
    bed.database.loseNextCommit('carried-out');
    const asked = bed.database.decide.bind(bed.database);
    let isAway = true;
    for (const { database } of [bed, other]) {
      const decide = database.decide.bind(database);
      database.decide = async (ids) =>
        isAway ? new Map(ids.map((id) => [id, 'unknown'])) : decide(ids);
    }
    void asked;
    const placed = bed.rivulet.transactions.run(() => bed.publish('orders', 'in doubt'));
    placed.catch(() => undefined);
    await bed.advance(30_000);
    await expect(placed).rejects.toMatchObject({ code: 'IN_DOUBT' });
    expect(await bodies()).toEqual(['before']);
    isAway = false;
    await other.advance(120_000);
    expect(await bodies()).toEqual(['before', 'in doubt']);
  });

  it('without a database is asked for: the check method of another decides', async () => {
    const answers: Record<string, string> = { a: 'commit', b: 'rollback' };
    for (const one of [bed, other])
      one.rivulet.checks.answer('place-order', ({ key }) => answers[key!], 'Orders.wasPlaced');
    for (const key of ['a', 'b'])
      await bed.rivulet.halfFirst.prepare('orders', key, { name: 'place-order', key });
    bed.crash();
    await other.advance(30_000);
    expect(await bodies()).toEqual(['before', 'a']);
    // Dead for long enough, not only paused.
    await other.advance(120_000);
    expect(await bodies()).toEqual(['before', 'a']);
    expect(await other.stores.halves.count({ topic: 'orders', queue: 0 })).toMatchObject({
      waiting: 0,
    });
  });
});
