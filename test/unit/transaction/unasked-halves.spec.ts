import { StoreRefusedError } from '../../../lib/core/message/errors.js';
import { silentLogger } from '../../../lib/core/runtime/logger.js';
import { TestBed } from '../../../lib/testing/test-bed.js';
import { halfOf, newTransaction } from '../../contract/halves.js';

const MINUTE_MS = 60_000;

/** What a process says that uses the topic, and what it emits. */
async function lookOn(of: TestBed): Promise<{ bed: TestBed; said: string[]; told: unknown[] }> {
  const said: string[] = [];
  const told: unknown[] = [];
  const logger = { ...silentLogger, error: (line: string) => void said.push(line) };
  const bed = await of.sibling({ logger, settings: { transactions: { participants: [] } } });
  bed.rivulet.events.on('half-unasked', (facts) => told.push(facts));
  await bed.publish('orders', 'of the new version');
  return { bed, said, told };
}

describe('a transaction that nobody can decide any more, after a deployment without its', () => {
  let old: TestBed;
  beforeEach(async () => {
    old = await TestBed.open({ settings: { topics: { queues: 1 } } });
  });
  afterEach(() => old.close());

  const dieInside = async (work: (whenInside: () => void) => Promise<unknown>): Promise<void> => {
    await new Promise<void>((inside) => {
      // Its process dies: nothing of it ends.
      work(inside).catch(() => undefined);
    });
    old.crash();
  };
  const placing = (inside: () => void): Promise<unknown> =>
    old.rivulet.halfFirst.run(
      () => {
        inside();
        return new Promise(() => {});
      },
      { topic: 'orders', body: 1, options: { name: 'place-order' } },
    );

  /** Its process dies with a half of a database. @returns the id of its transaction. */
  const dieWithHalf = async (): Promise<string> => {
    const { generation } = await old.stores.topics.declare('orders', { queues: 1 });
    const half = halfOf(['a'], { id: newTransaction(old.clock.now()), name: 'shop' });
    const place = { topic: 'orders', queue: 0, generation, owner: 'd:pg%3A17' };
    await old.stores.halves.prepare({ ...place, halves: [half] });
    old.crash();
    return half.id;
  };

  it('check method, is told of once, and is decided when a process with it starts', async () => {
    old.rivulet.checks.answer('place-order', () => 'unknown', 'Orders.wasPlaced');
    await dieInside(placing);
    const { bed, said, told } = await lookOn(old);
    // It has others.
    bed.rivulet.checks.answer('refund', () => 'commit', 'Refunds.was');
    await bed.advance(5 * MINUTE_MS);
    expect(told).toEqual([]);
    await bed.advance(12 * MINUTE_MS);
    expect(told).toMatchObject([{ topic: 'orders', queue: 0, name: 'place-order', messages: 1 }]);
    expect(said).toEqual([
      expect.stringMatching(
        /^Transaction \S+ \("place-order"\) is not decided, and nobody asks .* no process that runs has @TransactionCheck\('place-order'\) in producer group "default"\./,
      ),
    ]);

    const back = await bed.sibling();
    back.rivulet.checks.answer('place-order', () => 'commit', 'Orders.wasPlaced');
    await back.advance(MINUTE_MS);
    expect(await bed.sent('orders')).toHaveLength(2);
    await bed.advance(6 * MINUTE_MS);
    expect(told).toHaveLength(1);
    await back.close();
    await bed.close();
  });

  it('database, is told of, with which it was', async () => {
    const id = await dieWithHalf();
    const { bed, said, told } = await lookOn(old);
    await bed.advance(12 * MINUTE_MS);
    expect(told).toMatchObject([{ transactionId: id, name: 'shop' }]);
    expect(said).toEqual([expect.stringContaining('has its database (pg:17).')]);
    await bed.close();
  });

  it('database, is told of also when its queue refused one look', async () => {
    await dieWithHalf();
    const { bed, told } = await lookOn(old);
    await bed.advance(7 * MINUTE_MS);
    const { halves } = bed.stores;
    const count = halves.count.bind(halves);
    let refused = 0;
    halves.count = () => {
      refused += 1;
      return Promise.reject(new StoreRefusedError('not now', { reason: 'WRONGTYPE' }));
    };
    await bed.advance(5 * MINUTE_MS);
    expect([refused, told]).toEqual([1, []]);
    halves.count = count;
    await bed.advance(5 * MINUTE_MS);
    expect(told).toHaveLength(1);
    await bed.close();
  });

  it('is not told of when whoever asks about it could not for a while', async () => {
    old.rivulet.checks.answer('place-order', () => 'unknown', 'Orders.wasPlaced');
    await dieInside(placing);
    const { bed, told } = await lookOn(old);
    const cutOff = await bed.sibling();
    cutOff.rivulet.checks.answer('place-order', () => 'unknown', 'Orders.wasPlaced');
    cutOff.stores.goDown();
    // Just behind a look, to which it is long overdue.
    await bed.advance(6.1 * MINUTE_MS);
    cutOff.stores.comeUp();
    await bed.advance(12 * MINUTE_MS);
    expect(told).toEqual([]);
    await cutOff.close();
    await bed.close();
  });

  it('is not told of while it is asked about, however long that takes', async () => {
    old.rivulet.checks.answer('place-order', () => 'unknown', 'Orders.wasPlaced');
    await dieInside(placing);
    const { bed, told } = await lookOn(old);
    bed.rivulet.checks.answer('place-order', () => 'unknown', 'Orders.wasPlaced');
    await bed.advance(12 * MINUTE_MS);
    expect(told).toEqual([]);
    await bed.close();
  });
});
