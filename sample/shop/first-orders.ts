import { setTimeout as sleep } from 'node:timers/promises';
import type { Events } from 'nestjs-rivulet';
import type { OrderRequest } from './orders/order.js';
import { orderPlaced, reviewDue } from './topics.js';

const FIRST_ORDERS: OrderRequest[] = [
  { item: 'mug', quantity: 1, card: 'any-card' }, // stock packs it in the second attempt
  { item: 'mug', quantity: 2, card: 'any-card' }, // and this one after it, while others go on
  { item: 'tea', quantity: 2, card: 'any-card' }, // all goes well
  { item: 'lamp', quantity: 1, card: 'slow-card' }, // billing succeeds in the third attempt
  { item: 'vase', quantity: 1, card: 'blocked-card' }, // billing rejects it
  { item: 'chair', quantity: 40, card: 'any-card' }, // does not pass stock's pipe
];

/** Billing, stock and mail see each order; mail gets the reminder to ask for a review, too. */
const DELIVERIES_PER_ORDER = 4;
const LONGEST_WAIT_MS = 10_000;

/** As a browser would. Resolves when everybody is done with them. */
export async function placeFirstOrders(url: string, events: Events): Promise<void> {
  const done = allSettled(events, FIRST_ORDERS.length * DELIVERIES_PER_ORDER);
  for (const order of FIRST_ORDERS) {
    const response = await fetch(`${url}/orders`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(order),
    });
    if (!response.ok) throw new Error(`POST /orders answered ${response.status}`);
  }
  // Another shop on the same Redis may take some of the work.
  await Promise.race([done, sleep(LONGEST_WAIT_MS, undefined, { ref: false })]);
}

function allSettled(events: Events, deliveries: number): Promise<void> {
  const ours = new Set([orderPlaced.topic, reviewDue.topic]);
  return new Promise((resolve) => {
    const count = ({ topic }: { topic: string }): void => {
      if (ours.has(topic) && --deliveries === 0) setImmediate(resolve); // the journey is told by then
    };
    events.on('acked', count);
    events.on('dead-lettered', count);
  });
}
