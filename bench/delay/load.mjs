import { MessageProducer } from '../../dist/index.js';
import { bodyAt } from '../bodies.mjs';
import { inParallel } from '../clock.mjs';
import { openApp, TOPIC } from '../rivulet.mjs';

const IN_FLIGHT = 1_000;
const TRIAL = 1_000;
const HOUR = 3_600_000;

/**
 * Messages that fall due uniformly within `spreadMs`, from `firstDueInMs` on, or later where sending them takes longer. Each
 * carries when it is due.
 */
export default async function load({ messages, firstDueInMs, spreadMs }) {
  const app = await openApp();
  const producer = app.get(MessageProducer);
  const send = (topic, i, dueAt) =>
    producer.send(topic, { ...bodyAt(i), dueAt }, { deliverAt: new Date(dueAt) });
  const sendingMs = (await trialMs(send)) * (messages / TRIAL);
  const firstDue = Date.now() + Math.max(firstDueInMs, Math.ceil(3 * sendingMs));
  await inParallel({ count: messages, inFlight: IN_FLIGHT }, (i) =>
    send(TOPIC, i, firstDue + Math.round((i * spreadMs) / messages)),
  );
  if (Date.now() > firstDue)
    throw new Error(`The first message fell due ${Date.now() - firstDue} ms before all were sent`);
  await app.close();
}

/** How long some sends take here and now, once the code for them is warm. */
async function trialMs(send) {
  const trial = (i) => send(`${TOPIC}-trial`, i, Date.now() + HOUR);
  await inParallel({ count: TRIAL, inFlight: IN_FLIGHT }, trial);
  const from = performance.now();
  await inParallel({ count: TRIAL, inFlight: IN_FLIGHT }, trial);
  return performance.now() - from;
}
