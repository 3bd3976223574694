import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { IdempotentOptions } from '../../../lib/core/idempotency/idempotent-options.js';
import { TestBed, type TestSubscription } from '../../../lib/testing/test-bed.js';

describe('a request to an idempotent handler', () => {
  let bed: TestBed;
  let runs: number;
  beforeEach(async () => {
    bed = await TestBed.open({ settings: { topics: { queues: 1 } } });
    runs = 0;
  });
  afterEach(() => bed.close());

  const subscribe = (idempotent: IdempotentOptions, handler: TestSubscription['handler']) =>
    bed.subscribe({ topic: 'pay', group: 'bank', reply: true, handler, idempotent });

  /** One request for the same work as all others. */
  async function ask(topic = 'pay'): Promise<unknown> {
    const answer = bed.rivulet.requester
      .request(topic, { cents: 5 })
      .catch((error: Error) => error);
    await bed.advance(50);
    return answer;
  }

  it('gets the answer of the first with storeResult, without running the handler', async () => {
    await subscribe({ key: () => 'pay-17', storeResult: true }, () => ({ receipt: ++runs }));
    expect(await ask()).toEqual({ receipt: 1 });
    expect(await ask()).toEqual({ receipt: 1 });
    expect(runs).toBe(1);
  });

  it('gets each value of a streamed answer again', async () => {
    await subscribe({ key: () => 'pay-17', storeResult: true }, async function* () {
      runs += 1;
      yield* [1, 2, 3];
    });
    const values = async (): Promise<unknown[]> => {
      const seen: unknown[] = [];
      const ended = new Promise<void>((resolve, reject) => {
        const value = (body: unknown): void => void seen.push(body);
        bed.rivulet.requester.open('pay', {}, {}, { value, end: resolve, error: reject });
      });
      await bed.advance(50);
      await ended;
      return seen;
    };
    expect(await values()).toEqual([1, 2, 3]);
    expect(await values()).toEqual([1, 2, 3]);
    expect(runs).toBe(1);
  });

  it('is told that the answer was not kept without storeResult', async () => {
    await subscribe({ key: () => 'pay-17' }, () => ++runs);
    expect(await ask()).toBe(1);
    expect(String(await ask())).toContain('its answer was not kept');
    expect(runs).toBe(1);
  });

  it('of a dedup id that was answered is told so, with the id of the first', async () => {
    const messageIds: string[] = [];
    await bed.subscribe({
      ...{ topic: 'pay', group: 'bank', reply: true },
      handler: ({ message }) => void messageIds.push(message.messageId),
    });
    const asked = async (): Promise<unknown> => {
      const answer = bed.rivulet.requester
        .request('pay', {}, { dedupId: 'pay-17' })
        .catch((error: unknown) => error);
      await bed.advance(50);
      return answer;
    };
    expect(await asked()).toBeNull();
    expect(await asked()).toMatchObject({
      code: 'DUPLICATE_REQUEST',
      messageId: messageIds[0],
    });
    expect(messageIds).toHaveLength(1);
  });

  it('runs again when the first was answered with an error', async () => {
    await subscribe({ key: () => 'pay-17', storeResult: true }, () => {
      if (++runs === 1) throw new Error('the bank is closed');
      return 'paid';
    });
    expect(String(await ask())).toContain('the bank is closed');
    expect(await ask()).toBe('paid');
    expect(await ask()).toBe('paid');
    expect(runs).toBe(2);
  });

  it('does not keep an answer of more than 64 KiB', async () => {
    await subscribe({ key: () => 'pay-17', storeResult: true }, () => 'x'.repeat(65_536 + ++runs));
    expect(await ask()).toHaveLength(65_537);
    expect(String(await ask())).toContain('its answer was not kept');
    expect(runs).toBe(1);
  });

  it('keeps nothing of an answer that is too long as a whole', async () => {
    await subscribe({ key: () => 'pay-17', storeResult: true }, async function* () {
      runs += 1;
      for (let n = 0; n < 3; n++) yield 'x'.repeat(30_000);
    });
    expect(await ask()).toHaveLength(30_000);
    expect(String(await ask())).toContain('its answer was not kept');
    expect(runs).toBe(1);
  });

  it('fails when what was kept cannot be read, and its slot is free again', async () => {
    await subscribe({ key: () => 'pay-17', storeResult: true }, () => ++runs);
    const { dedup } = bed.stores;
    const begin = dedup.begin.bind(dedup);
    dedup.begin = (ref, claim, asker) => {
      dedup.begin = begin;
      queueMicrotask(() => asker.begun({ state: 'done', result: Buffer.from('none') }));
    };
    const errors: unknown[] = [];
    bed.rivulet.events.on('retried', ({ error }) => void errors.push(error));
    const answer = bed.rivulet.requester.request('pay', { cents: 5 });
    await bed.advance(15_000);
    expect(errors).toHaveLength(1);
    expect(await answer).toBe(1);
  });
});
