import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { RejectMessageError } from '../../../lib/core/consumer/handler-errors.js';
import type { Delivery } from '../../../lib/core/consumer/subscription.js';
import type { IdempotentOptions } from '../../../lib/core/idempotency/idempotent-options.js';
import { InvalidOptionsError } from '../../../lib/core/message/errors.js';
import {
  type BeginAsker,
  claimed,
  type CompleteAsker,
} from '../../../lib/core/store/dedup-store.js';
import { gate } from '../../participants/ids.js';
import { TestBed, type TestSubscription } from '../../../lib/testing/test-bed.js';

const SETTINGS = { topics: { queues: 1 }, heartbeatMs: 5_000, deadAfterMs: 15_000 };
const AT_ONCE = { maxAttempts: 3, backoff: () => 1 };

describe('an idempotent subscription', () => {
  let bed: TestBed;
  let others: TestBed[];
  let effects: unknown[];
  beforeEach(async () => {
    bed = await TestBed.open({ settings: SETTINGS });
    others = [];
    effects = [];
  });
  afterEach(async () => {
    for (const each of [...others, bed]) await each.close();
  });

  const record = ({ body }: Delivery): void => void effects.push(body);
  function subscribe(options: Partial<TestSubscription> = {}, on = bed): Promise<void> {
    return on.subscribe({
      topic: 'orders',
      group: 'billing',
      handler: record,
      idempotent: true,
      retry: AT_ONCE,
      ...options,
    });
  }
  async function another(): Promise<TestBed> {
    const made = await bed.sibling({ settings: SETTINGS });
    others.push(made);
    return made;
  }
  function keyed(key: NonNullable<IdempotentOptions['key']>): Partial<TestSubscription> {
    return { idempotent: { key } };
  }

  it('handles messages that differ, each once', async () => {
    await subscribe();
    const sent = await Promise.all([1, 2, 3].map((n) => bed.publish('orders', n)));
    for (const { messageId } of sent)
      expect(await bed.settled(messageId)).toMatchObject({ state: 'acked', attempt: 1 });
    expect(effects.sort()).toEqual([1, 2, 3]);
  });

  it('acks a message whose dedup id was handled before, without its handler, and counts it', async () => {
    await subscribe(keyed((message) => message.key!));
    const first = await bed.publish('orders', 'first', { key: 'pay-17' });
    await bed.settled(first.messageId);
    const second = await bed.publish('orders', 'second', { key: 'pay-17' });
    expect(await bed.settled(second.messageId)).toMatchObject({
      state: 'duplicate',
      dedupKey: 'pay-17',
      group: 'billing',
      key: 'pay-17',
    });
    expect(effects).toEqual(['first']);
  });

  it('takes the dedup id for the key, over queues and producers, when the sender gave one', async () => {
    await subscribe();
    const one = { dedupId: 'pay-17', messageGroup: 'a' };
    await bed.settled((await bed.publish('orders', 'first', one)).messageId);
    // Beyond the producer's window, which would have kept it from being stored at all.
    await bed.advance(600_001);
    const again = await bed.publish('orders', 'second', one);
    expect(again.duplicate).toBe(false);
    expect(await bed.settled(again.messageId)).toMatchObject({ state: 'duplicate' });
    expect(effects).toEqual(['first']);
  });

  it('never takes the business key for the dedup key by itself', async () => {
    await subscribe();
    for (const body of ['created', 'paid'])
      await bed.settled((await bed.publish('orders', body, { key: 'order-1' })).messageId);
    expect(effects).toEqual(['created', 'paid']);
  });

  it('keeps groups and topics apart', async () => {
    await subscribe();
    await subscribe({ group: 'mail' });
    await subscribe({ topic: 'refunds' });
    const { messageId } = await bed.publish('orders', 'order', { dedupId: '17' });
    expect(await bed.settled(messageId, 'billing')).toMatchObject({ state: 'acked' });
    expect(await bed.settled(messageId, 'mail')).toMatchObject({ state: 'acked' });
    const refund = await bed.publish('refunds', 'refund', { dedupId: '17' });
    expect(await bed.settled(refund.messageId)).toMatchObject({ state: 'acked' });
    expect(effects).toEqual(['order', 'order', 'refund']);
  });

  it('keeps the topics of a pattern apart, too', async () => {
    for (const topic of ['order.placed', 'order.paid'])
      await bed.publish(topic, topic, { dedupId: '17' });
    await subscribe({ topic: 'order.*' });
    await bed.advance(100);
    expect(effects.sort()).toEqual(['order.paid', 'order.placed']);
  });

  it('gives the key function the message and its body', async () => {
    await subscribe(keyed((message, body) => `${message.tag}:${(body as { id: number }).id}`));
    const created = await bed.publish('orders', { id: 1 }, { tag: 'created' });
    await bed.settled(created.messageId);
    const paid = await bed.publish('orders', { id: 1 }, { tag: 'paid' });
    expect(await bed.settled(paid.messageId)).toMatchObject({ state: 'acked' });
    const again = await bed.publish('orders', { id: 1 }, { tag: 'paid' });
    expect(await bed.settled(again.messageId)).toMatchObject({ dedupKey: 'paid:1' });
  });

  it.each([[undefined], [''], [17], ['x'.repeat(256)]])(
    'makes a dead letter of a message whose key function answers %j, before its handler',
    async (answer) => {
      await subscribe(keyed(() => answer as string));
      const { messageId } = await bed.publish('orders', 1);
      expect(await bed.settled(messageId)).toMatchObject({
        state: 'dead-lettered',
        reason: expect.stringContaining(
          'idempotent.key answered no key: dedupKey must be text of 1 to 255',
        ),
      });
      expect(effects).toEqual([]);
    },
  );

  it('takes an error of the key function for a failed attempt', async () => {
    let calls = 0;
    await subscribe(
      keyed(() => {
        if (++calls === 1) throw new Error('no key yet');
        return 'k';
      }),
    );
    const { messageId } = await bed.publish('orders', 1);
    await bed.advance(10);
    expect(await bed.settled(messageId)).toMatchObject({ state: 'acked', attempt: 2 });
  });

  it('tries a failed message again, without waiting for its own claim', async () => {
    const attempts: number[] = [];
    await subscribe({
      handler: ({ attempt }) => {
        attempts.push(attempt);
        if (attempt < 3) throw new Error('not yet');
      },
    });
    const { messageId } = await bed.publish('orders', 1);
    await bed.advance(10);
    expect(await bed.settled(messageId)).toMatchObject({ state: 'acked', attempt: 3 });
    expect(attempts).toEqual([1, 2, 3]);
  });

  it('handles a dead letter that is redriven, since it was never handled', async () => {
    let broken = true;
    await subscribe({
      handler: (delivery) => {
        if (broken) throw new RejectMessageError('broken');
        record(delivery);
      },
    });
    const { messageId } = await bed.publish('orders', 'a');
    await bed.settled(messageId);
    broken = false;
    const ref = { topic: 'orders', queue: 0, group: 'billing' };
    const [dead] = await bed.stores.deadLetters.list(ref, { count: 1 });
    await bed.stores.deadLetters.redrive(ref, dead!.id);
    const acked = bed.rivulet.events.next('acked');
    await bed.advance(10);
    expect(await acked).toMatchObject({ messageId });
    expect(effects).toEqual(['a']);
  });

  it('lets a duplicate wait while the first is being handled, at no cost in attempts', async () => {
    let finish = (): void => {};
    const running = new Promise<void>((resolve) => (finish = resolve));
    await subscribe({
      ...keyed(() => 'one'),
      handler: async (delivery) => {
        record(delivery);
        await running;
      },
    });
    await bed.publish('orders', 'first');
    const second = await bed.publish('orders', 'second');
    // Longer than any lease: it is renewed.
    await bed.advance(120_000);
    expect(effects).toHaveLength(1);
    finish();
    await bed.advance(5_000);
    expect(await bed.settled(second.messageId)).toMatchObject({ state: 'duplicate', attempt: 1 });
    expect(effects).toEqual(['first']);
  });

  it('handles the duplicate when the first fails', async () => {
    let fail = (): void => {};
    const failing = new Promise<void>(
      (_, reject) => (fail = () => reject(new RejectMessageError('x'))),
    );
    await subscribe({
      ...keyed(() => 'one'),
      handler: (delivery) => {
        record(delivery);
        return delivery.body === 'first' ? failing : undefined;
      },
    });
    await bed.publish('orders', 'first');
    const second = await bed.publish('orders', 'second');
    await bed.advance(1_000);
    fail();
    await bed.advance(5_000);
    expect(await bed.settled(second.messageId)).toMatchObject({ state: 'acked', attempt: 1 });
    expect(effects).toEqual(['first', 'second']);
  });

  it('works with ordered subscriptions: a duplicate waits in its lane, or is passed over', async () => {
    await subscribe({ ordered: true, ...keyed((message) => message.key!) });
    const send = (body: string, key: string) =>
      bed.publish('orders', body, { key, messageGroup: 'a' });
    const sent = [await send('1', 'x'), await send('again', 'x'), await send('2', 'y')];
    await bed.advance(1_000);
    expect(await bed.settled(sent[1]!.messageId)).toMatchObject({ state: 'duplicate' });
    expect(await bed.settled(sent[2]!.messageId)).toMatchObject({ state: 'acked' });
    expect(effects).toEqual(['1', '2']);
  });

  it('waits in its lane for what another process is handling, at no cost in attempts', async () => {
    await subscribe({ ordered: true, ...keyed((message) => message.key!) });
    const ref = { group: 'billing', topic: 'orders', key: 'x' };
    await claimed(bed.stores.dedup, ref, { owner: 'somebody', leaseMs: 10_000 });
    const first = await bed.publish('orders', '1', { key: 'x', messageGroup: 'a' });
    const second = await bed.publish('orders', '2', { key: 'y', messageGroup: 'a' });
    await bed.advance(8_000);
    expect(effects).toEqual([]);
    await bed.advance(10_000);
    expect(await bed.settled(first.messageId)).toMatchObject({ state: 'acked', attempt: 1 });
    expect(await bed.settled(second.messageId)).toMatchObject({ state: 'acked', attempt: 1 });
    expect(effects).toEqual(['1', '2']);
  });

  it('forgets what was handled after its lifetime', async () => {
    await subscribe({ idempotent: { key: () => 'one', ttlMs: 60_000 } });
    await bed.settled((await bed.publish('orders', 1)).messageId);
    await bed.advance(59_000);
    await bed.settled((await bed.publish('orders', 2)).messageId);
    await bed.advance(1_000);
    await bed.settled((await bed.publish('orders', 3)).messageId);
    expect(effects).toEqual([1, 3]);
  });

  it('handles again, once the claim has lapsed, what a process had in hand when it died', async () => {
    const dying = await another();
    await subscribe({ handler: () => new Promise(() => {}) }, dying);
    const { messageId } = await bed.publish('orders', 'a');
    await dying.nextDelivery('billing');
    dying.crash();
    await subscribe();
    await bed.advance(20_000);
    // Taken over, and still claimed by whoever is dead.
    expect(effects).toEqual([]);
    await bed.advance(15_000);
    expect(await bed.settled(messageId)).toMatchObject({ state: 'acked' });
    expect(effects).toEqual(['a']);
  });

  it('does not handle again what a process had completed when it died', async () => {
    const dying = await another();
    await subscribe({}, dying);
    const { settle } = dying.stores.deliveries;
    dying.stores.deliveries.settle = () => new Promise<never>(() => {});
    const { messageId } = await bed.publish('orders', 'a');
    await dying.nextDelivery('billing');
    await bed.advance(10);
    dying.crash();
    dying.stores.deliveries.settle = settle;
    await subscribe();
    await bed.advance(20_000);
    expect(await bed.settled(messageId)).toMatchObject({ state: 'duplicate' });
    expect(effects).toEqual(['a']);
  });

  it('begins and completes across lost replies, once', async () => {
    await subscribe();
    const { dedup } = bed.stores;
    const begin = dedup.begin.bind(dedup);
    const complete = dedup.complete.bind(dedup);
    const lost = new Error('the reply was lost');
    // Carried out, and not heard of.
    const deaf: BeginAsker & CompleteAsker = {
      begun: () => {},
      beginFailed: () => {},
      completed: () => {},
      completeFailed: () => {},
    };
    dedup.begin = (ref, claim, asker) => {
      dedup.begin = begin;
      begin(ref, claim, { ...deaf, begun: () => asker.beginFailed(lost) });
    };
    dedup.complete = (ref, done, asker) => {
      dedup.complete = complete;
      complete(ref, done, { ...deaf, completed: () => asker.completeFailed(lost) });
    };
    const { messageId } = await bed.publish('orders', 'a');
    // Each lost reply is asked for again after 50 ms or so.
    await bed.advance(150);
    expect(await bed.settled(messageId)).toMatchObject({ state: 'acked', attempt: 1 });
    expect(effects).toEqual(['a']);
  });

  it('acks nothing before it is recorded, however long the store is away meanwhile', async () => {
    await subscribe();
    const { complete } = bed.stores.dedup;
    bed.stores.dedup.complete = (ref, done, asker) =>
      queueMicrotask(() => asker.completeFailed(new Error('away')));
    let isAcked = false;
    bed.rivulet.events.on('acked', () => void (isAcked = true));
    const { messageId } = await bed.publish('orders', 'a');
    await bed.advance(60_000);
    expect(isAcked).toBe(false);
    bed.stores.dedup.complete = complete;
    await bed.advance(3_000);
    expect(await bed.settled(messageId)).toMatchObject({ state: 'acked', attempt: 1 });
    const again = await bed.publish('orders', 'a', { dedupId: messageId });
    expect(await bed.settled(again.messageId)).toMatchObject({ state: 'duplicate' });
    expect(effects).toEqual(['a']);
  });

  it('asks no more to record what its time was up for', async () => {
    let questions = 0;
    let lost = 0;
    bed.rivulet.events.on('claim-lost', () => void (lost += 1));
    await subscribe({ handlerTimeoutMs: 20_000 });
    bed.stores.dedup.complete = (ref, done, asker) => {
      questions += 1;
      queueMicrotask(() => asker.completeFailed(new Error('away')));
    };
    await bed.publish('orders', 'a');
    await bed.advance(21_000);
    const asked = questions;
    expect(asked).toBeGreaterThan(5);
    expect(asked).toBeLessThan(30);
    // Nobody else has claimed it.
    await bed.advance(5_000);
    expect(lost).toBe(0);
  });

  it('takes a store that throws for a failed attempt, and goes on', async () => {
    await subscribe();
    const { dedup } = bed.stores;
    const begin = dedup.begin.bind(dedup);
    dedup.begin = () => {
      dedup.begin = begin;
      throw new Error('no store of ours');
    };
    const { messageId } = await bed.publish('orders', 'a');
    await bed.advance(10);
    expect(await bed.settled(messageId)).toMatchObject({ state: 'acked', attempt: 2 });
  });

  it('is settled only after its claim was given up', async () => {
    await subscribe({
      handler: () => {
        throw new Error('no');
      },
    });
    const { dedup } = bed.stores;
    const abandon = dedup.abandon.bind(dedup);
    const given = gate();
    dedup.abandon = async (...call) => {
      await given.opened;
      return abandon(...call);
    };
    let retries = 0;
    bed.rivulet.events.on('retried', () => void (retries += 1));
    await bed.publish('orders', 'a');
    await bed.advance(10);
    expect(retries).toBe(0);
    given.open();
    await bed.advance(1);
    expect(retries).toBeGreaterThan(0);
  });

  it('is not disturbed by a renewal that arrives after its work was recorded', async () => {
    const renewed = gate();
    const { renew } = bed.stores.dedup;
    bed.stores.dedup.renew = async (...call) => {
      await renewed.opened;
      return renew.apply(bed.stores.dedup, call);
    };
    const finish = gate();
    let signal: AbortSignal | undefined;
    await subscribe({
      handler: async (delivery) => {
        ({ signal } = delivery);
        await finish.opened;
      },
    });
    const { messageId } = await bed.publish('orders', 'a');
    await bed.advance(21_000);
    finish.open();
    await bed.advance(10);
    expect(await bed.settled(messageId)).toMatchObject({ state: 'acked' });
    renewed.open();
    await bed.advance(10);
    expect(signal?.aborted).toBe(false);
  });

  it('holds no slot while what was handled is recorded, and waits for it when it stops', async () => {
    const { complete } = bed.stores.dedup;
    const records: (() => void)[] = [];
    bed.stores.dedup.complete = (...call) =>
      void records.push(() => complete.apply(bed.stores.dedup, call));
    await subscribe({ concurrency: 1 });
    const sent = [await bed.publish('orders', 'a'), await bed.publish('orders', 'b')];
    await bed.advance(10);
    expect(effects).toEqual(['a', 'b']);
    expect(records).toHaveLength(2);
    const stopped = bed.rivulet.stopConsuming();
    await bed.advance(100);
    for (const record of records) record();
    await bed.advance(100);
    await stopped;
    for (const { messageId } of sent)
      expect(await bed.settled(messageId)).toMatchObject({ state: 'acked', attempt: 1 });
  });

  it('lets messages wait while the store is away, at no cost in attempts', async () => {
    await subscribe();
    const { begin } = bed.stores.dedup;
    bed.stores.dedup.begin = (ref, claim, asker) =>
      queueMicrotask(() => asker.beginFailed(new Error('away')));
    const { messageId } = await bed.publish('orders', 'a');
    await bed.advance(10_000);
    bed.stores.dedup.begin = begin;
    await bed.advance(3_000);
    expect(await bed.settled(messageId)).toMatchObject({ state: 'acked', attempt: 1 });
    expect(effects).toEqual(['a']);
  });

  it('says so when a handler outlived its claim: its effects happened twice', async () => {
    let finish = (): void => {};
    const paused = new Promise<void>((resolve) => (finish = resolve));
    let signal: AbortSignal | undefined;
    await subscribe({
      ...keyed(() => 'one'),
      handler: async (delivery) => {
        record(delivery);
        if (delivery.body !== 'first') return;
        ({ signal } = delivery);
        await paused;
      },
    });
    const { renew } = bed.stores.dedup;
    bed.stores.dedup.renew = () => Promise.reject(new Error('renewals do not arrive'));
    const first = await bed.publish('orders', 'first');
    const second = await bed.publish('orders', 'second');
    await bed.advance(35_000);
    expect(await bed.settled(second.messageId)).toMatchObject({ state: 'acked' });
    bed.stores.dedup.renew = renew;
    await bed.advance(10_000);
    expect(signal?.aborted).toBe(true);
    const lost = bed.rivulet.events.next('claim-lost');
    finish();
    await bed.advance(10);
    expect(await lost).toMatchObject({ messageId: first.messageId, dedupKey: 'one' });
    expect(effects).toEqual(['first', 'second']);
  });

  it('gives the message to the next attempt although the first never ends', async () => {
    await subscribe({
      handlerTimeoutMs: 20_000,
      handler: (delivery) => {
        record(delivery);
        return delivery.attempt === 1 ? new Promise(() => {}) : undefined;
      },
    });
    const { messageId } = await bed.publish('orders', 'a');
    await bed.advance(60_000);
    expect(await bed.settled(messageId)).toMatchObject({ state: 'acked', attempt: 2 });
    expect(effects).toEqual(['a', 'a']);
  });

  it.each([
    [17, 'idempotent must be true, false or { key, ttlMs, storeResult, participant }, got: 17'],
    [null, 'idempotent must be true, false'],
    [{ ttl: 5 }, 'idempotent: unknown option "ttl", did you mean "ttlMs"?'],
    [{ key: 'id' }, 'idempotent.key must be a function of the message and its body, got: "id"'],
    [{ ttlMs: 0 }, 'idempotent.ttlMs must be an integer of at least 1, got: 0'],
    [{ storeResult: 1 }, 'idempotent.storeResult must be true or false, got: 1'],
  ])('is refused with %j', async (idempotent, problem) => {
    const refused = subscribe({ idempotent: idempotent as never, concurrency: 0 });
    await expect(refused).rejects.toThrow(InvalidOptionsError);
    await expect(refused).rejects.toThrow(problem);
    await expect(refused).rejects.toThrow('concurrency must be');
  });

  it('is refused with broadcasting, where every process handles every message', async () => {
    const refused = subscribe({ mode: 'broadcasting', retry: undefined });
    await expect(refused).rejects.toThrow('idempotent has no place with mode "broadcasting"');
  });
});
