import { TransactionEndedError } from '../../../lib/core/transaction/errors.js';
import { once } from '../../../lib/core/transaction/inbox.js';
import type { MemoryTransaction } from '../../../lib/testing/memory-database.js';
import { TestBed } from '../../../lib/testing/test-bed.js';

describe('the inbox', () => {
  let bed: TestBed;

  beforeEach(async () => {
    bed = await TestBed.open();
  });

  afterEach(() => bed.close());

  const entry = { group: 'billing', key: 'order-1' };

  const handle = async (): Promise<void> => {
    const tx = bed.rivulet.transactions.current<MemoryTransaction>()!;
    tx.set('bills', (tx.get<number>('bills') ?? 0) + 1);
    await bed.publish('bills', 'sent');
  };

  const run = (handler = handle): Promise<'handled' | 'duplicate'> =>
    once(entry, handler, { transactions: bed.rivulet.transactions });

  async function bills(): Promise<unknown> {
    await bed.advance(1);
    return [bed.database.get('bills') ?? 0, (await bed.sent('bills')).length];
  }

  it('lets a handler write and send once, however often the message comes', async () => {
    expect([await run(), await run(), await run()]).toEqual(['handled', 'duplicate', 'duplicate']);
    expect(await bills()).toEqual([1, 1]);
  });

  it('forgets an attempt that failed, with what it wrote and sent', async () => {
    const failing = run(async () => {
      await handle();
      throw new Error('no');
    });
    await expect(failing).rejects.toThrow('no');
    expect(await bills()).toEqual([0, 0]);
    expect(await run()).toBe('handled');
    expect(await bills()).toEqual([1, 1]);
  });

  it('takes nothing of a send that nobody awaited once it looks whether the database is still with it', async () => {
    let late: Promise<unknown> | undefined;
    bed.rivulet.transactions.participant().inbox.leave = async () => {
      late = bed.publish('bills', 'late').catch((error: unknown) => error);
      await bed.advance(1);
    };
    expect(await run(async () => undefined)).toBe('handled');
    expect(await late).toBeInstanceOf(TransactionEndedError);
    expect(await bills()).toEqual([0, 0]);
  });

  it('makes a delivery that comes meanwhile wait for the end of the first', async () => {
    let finish = (): void => {};
    const finished = new Promise<void>((resolve) => (finish = resolve));
    const first = run(async () => {
      await finished;
      await handle();
    });
    const second = run();
    await bed.advance(100);
    finish();
    expect([await first, await second]).toEqual(['handled', 'duplicate']);
    expect(await bills()).toEqual([1, 1]);
  });

  it('is busy when that takes too long, or when the database is away: no attempt of the handler', async () => {
    let finish = (): void => {};
    const finished = new Promise<void>((resolve) => (finish = resolve));
    const first = run(() => finished);
    const second = run();
    second.catch(() => undefined);
    await bed.advance(3_000);
    await expect(second).rejects.toMatchObject({ code: 'INBOX_BUSY', group: 'billing' });
    finish();
    await first;
    bed.database.goDown();
    await expect(run()).rejects.toMatchObject({ code: 'INBOX_BUSY' });
    bed.database.comeUp();
  });

  it('answers "duplicate" to the retry after a COMMIT nobody answered', async () => {
    bed.database.loseNextCommit('carried-out');
    const silent = once(entry, async () => undefined, { transactions: bed.rivulet.transactions });
    await expect(silent).rejects.toThrow('The answer to COMMIT was lost');
    expect(await run()).toBe('duplicate');
  });

  it('forgets after its time, so that the table does not grow for ever', async () => {
    await bed.close();
    bed = await TestBed.open({ settings: { transactions: { inboxKeptMs: 3_600_000 } } });
    expect(await run()).toBe('handled');
    await bed.advance(3_000_000);
    expect(await run()).toBe('duplicate');
    await bed.advance(1_800_000);
    expect(await run()).toBe('handled');
  });
});
