import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { InvalidOptionsError } from '../../../lib/core/message/errors.js';
import { silentLogger } from '../../../lib/core/runtime/logger.js';
import type { MemoryTransaction } from '../../../lib/testing/memory-database.js';
import { TestBed, type TestSubscription } from '../../../lib/testing/test-bed.js';

describe('an idempotent handler with a database', () => {
  let bed: TestBed;
  beforeEach(async () => {
    bed = await TestBed.open({ settings: { topics: { queues: 1 } } });
  });
  afterEach(() => bed.close());

  /** Writes a bill, and sends it. */
  async function bill(): Promise<void> {
    const tx = bed.rivulet.transactions.current<MemoryTransaction>()!;
    tx.set('bills', (tx.get<number>('bills') ?? 0) + 1);
    await bed.publish('bills', 'a bill');
  }
  function subscribe(options: Partial<TestSubscription> = {}): Promise<void> {
    return bed.subscribe({
      topic: 'orders',
      group: 'billing',
      handler: bill,
      idempotent: { participant: bed.database.name, key: (message) => message.key! },
      retry: { maxAttempts: 3, backoff: () => 10 },
      ...options,
    });
  }
  async function bills(): Promise<unknown> {
    await bed.advance(10);
    return [bed.database.get('bills') ?? 0, (await bed.sent('bills')).length];
  }
  const publish = (key = 'order-1') => bed.publish('orders', {}, { key });

  it('writes and sends once, however often the work arrives', async () => {
    await subscribe();
    expect(await bed.settled((await publish()).messageId)).toMatchObject({ state: 'acked' });
    expect(await bed.settled((await publish()).messageId)).toMatchObject({ state: 'duplicate' });
    expect(await bills()).toEqual([1, 1]);
  });

  it('tells once a minute why no transaction can be begun for it, and is run once one can', async () => {
    const warned: string[] = [];
    await bed.close();
    const logger = { ...silentLogger, warn: (line: string) => void warned.push(line) };
    bed = await TestBed.open({ settings: { topics: { queues: 1 } }, logger });
    await subscribe();
    bed.database.goDown();
    const { messageId } = await publish();
    await bed.advance(90_000);
    const line = expect.stringMatching(
      /^Could not begin a transaction of participant ".*" for a message to group "billing": Error: The memory database is down/,
    );
    expect(warned.filter((each) => each.includes('begin a transaction'))).toEqual([line, line]);
    bed.database.comeUp();
    await bed.advance(1_000);
    expect(await bed.settled(messageId)).toMatchObject({ state: 'acked' });
  });

  it('keeps topics apart', async () => {
    await subscribe();
    await subscribe({ topic: 'returns' });
    await bed.settled((await publish()).messageId);
    const other = await bed.publish('returns', {}, { key: 'order-1' });
    expect(await bed.settled(other.messageId)).toMatchObject({ state: 'acked' });
    expect(await bills()).toEqual([2, 2]);
  });

  it('asks the database once about what the store has forgotten', async () => {
    await subscribe();
    await bed.settled((await publish()).messageId);
    await bed.stores.dedup.forget({ group: 'billing', topic: 'orders', key: 'order-1' });
    await bed.settled((await publish()).messageId);
    bed.database.goDown();
    expect(await bed.settled((await publish()).messageId)).toMatchObject({ state: 'duplicate' });
    bed.database.comeUp();
  });

  it('does so also when the store has forgotten what was handled', async () => {
    await subscribe();
    await bed.settled((await publish()).messageId);
    await bed.stores.dedup.forget({ group: 'billing', topic: 'orders', key: 'order-1' });
    const again = await publish();
    expect(await bed.settled(again.messageId)).toMatchObject({
      state: 'duplicate',
      dedupKey: 'order-1',
    });
    expect(await bills()).toEqual([1, 1]);
  });

  it('keeps nothing of an attempt that failed', async () => {
    await subscribe({
      handler: async ({ attempt }) => {
        await bill();
        if (attempt < 3) throw new Error('not yet');
      },
    });
    const { messageId } = await publish();
    await bed.advance(100);
    expect(await bed.settled(messageId)).toMatchObject({ state: 'acked', attempt: 3 });
    expect(await bills()).toEqual([1, 1]);
  });

  it('keeps nothing of a request that was answered with an error', async () => {
    await subscribe({
      reply: true,
      idempotent: { participant: bed.database.name },
      handler: async () => {
        await bill();
        throw new Error('no');
      },
    });
    const answer = bed.rivulet.requester
      .request('orders', {})
      .catch((error: Error) => error.message);
    await bed.advance(50);
    expect(await answer).toContain('no');
    expect(await bills()).toEqual([0, 0]);
  });

  it('waits while the database is away, at no cost in attempts', async () => {
    await subscribe();
    bed.database.goDown();
    const { messageId } = await publish();
    await bed.advance(5_000);
    bed.database.comeUp();
    await bed.advance(2_000);
    expect(await bed.settled(messageId)).toMatchObject({ state: 'acked', attempt: 1 });
    expect(await bills()).toEqual([1, 1]);
  });

  it('is refused with the name of no database', async () => {
    const refused = subscribe({ idempotent: { participant: 'ledger' } });
    await expect(refused).rejects.toThrow(InvalidOptionsError);
    await expect(refused).rejects.toThrow('no participant is named "ledger"');
    await expect(subscribe({ idempotent: { participant: 5 as never } })).rejects.toThrow(
      'idempotent.participant must be the name of a database, got: 5',
    );
  });

  it('is refused with a lifetime longer than the database remembers', async () => {
    const ttlMs = 8 * 24 * 3_600_000;
    await expect(subscribe({ idempotent: { participant: 'default', ttlMs } })).rejects.toThrow(
      'idempotent.ttlMs (691200000) is longer than participant "default" remembers',
    );
  });
});
