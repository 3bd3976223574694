import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { silentLogger } from '../../../lib/core/runtime/logger.js';
import type { SubscribeOptions } from '../../../lib/core/subscriptions.js';
import { TestBed } from '../../../lib/testing/test-bed.js';

const settings = { topics: { queues: 2 } };

/** An operator deletes a topic under those who consume it and makes it anew, with as many queues as it should have had. */
describe('A topic that is made anew', () => {
  let bed: TestBed;
  beforeEach(async () => {
    bed = await TestBed.open({ settings });
  });
  afterEach(() => bed.close());

  async function anew(queues: number): Promise<void> {
    await bed.stores.topics.remove('orders');
    await bed.stores.topics.declare('orders', { queues });
  }
  async function sendToEach(queues: number): Promise<string[]> {
    const bodies = Array.from({ length: queues }, (_, queue) => `to queue ${queue}`);
    await bed.rivulet.topics.refresh('orders');
    for (const [queue, body] of bodies.entries()) await bed.publish('orders', body, { queue });
    return bodies;
  }

  const kinds: [string, Partial<SubscribeOptions>][] = [
    ['unordered', {}],
    ['ordered', { ordered: true }],
    ['broadcasting', { mode: 'broadcasting', from: 'earliest' }],
  ];
  for (const [kind, options] of kinds)
    for (const queues of [1, 5])
      it(`with ${queues} instead of 2 queues, is read in all of them by a subscription that is ${kind}`, async () => {
        const handled: unknown[] = [];
        await bed.subscribe({
          topic: 'orders',
          group: 'billing',
          ...options,
          handler: ({ body }) => void handled.push(body),
        });
        await bed.advance(1_000);
        await anew(queues);
        await bed.advance(10_000);
        const sent = await sendToEach(queues);
        await bed.advance(70_000);
        expect(handled.toSorted()).toEqual(sent);
      });

  for (const [kind, options] of kinds)
    it(`hides nothing that was sent before it was noticed from a subscription that is ${kind} and began at the end`, async () => {
      await bed.publish('orders', 'before it subscribed');
      const handled: unknown[] = [];
      await bed.subscribe({
        topic: 'orders',
        group: 'billing',
        ...options,
        from: 'latest',
        handler: ({ body }) => void handled.push(body),
      });
      await bed.advance(1_000);
      await anew(2);
      const sent = await sendToEach(2);
      await bed.advance(70_000);
      expect(handled.toSorted()).toEqual(sent);
    });

  // Who broadcasts has no group that could be gone.
  for (const [kind, options] of kinds.filter(([, { mode }]) => mode !== 'broadcasting'))
    it(`is told as what it is by a subscription that is ${kind}, and no alarm`, async () => {
      const said: string[] = [];
      const note = (text: string): void => void said.push(text);
      const logger = { ...silentLogger, warn: note, error: note };
      const other = await bed.sibling({ settings, logger });
      const alarms: unknown[] = [];
      other.rivulet.events.on('group-recreated', (facts) => alarms.push(facts));
      await other.subscribe({ topic: 'orders', group: 'billing', ...options });
      await bed.advance(1_000);
      await anew(2);
      await bed.advance(10_000);
      expect(said).toEqual([
        expect.stringContaining(
          'orders/billing: the topic was deleted by MessageAdmin.deleteTopic',
        ),
      ]);
      expect(alarms).toEqual([]);
      await other.close();
    });

  for (const queues of [1, 5])
    it(`with ${queues} instead of 2 queues, is received by hand from all of them`, async () => {
      const received: unknown[] = [];
      const receive = async (): Promise<void> => {
        const call = bed.rivulet.pulls.receive({ topic: 'orders', group: 'workers', waitMs: 100 });
        call.catch(() => undefined);
        await bed.advance(1_000);
        for (const { body, receipt } of await call) {
          received.push(body);
          await bed.rivulet.pulls.ack(receipt);
        }
      };
      await bed.stores.topics.declare('orders', { queues: 2 });
      await receive();
      await anew(queues);
      const sent = await sendToEach(queues);
      await receive();
      await receive();
      expect(received.toSorted()).toEqual(sent);
    });
});
