import { MessageProducer } from '../../dist/index.js';
import { bodyAt } from '../bodies.mjs';
import { inParallel } from '../clock.mjs';
import { openApp, TOPIC } from '../rivulet.mjs';

/** Messages that fall due uniformly within `spreadMs`, from `firstDueInMs` on. Each carries when it is due. */
export default async function load({ messages, firstDueInMs, spreadMs }) {
  const app = await openApp();
  const producer = app.get(MessageProducer);
  const firstDue = Date.now() + firstDueInMs;
  await inParallel({ count: messages, inFlight: 1_000 }, (i) => {
    const dueAt = firstDue + Math.round((i * spreadMs) / messages);
    return producer.send(TOPIC, { ...bodyAt(i), dueAt }, { deliverAt: new Date(dueAt) });
  });
  if (Date.now() > firstDue)
    throw new Error(`The first message fell due ${Date.now() - firstDue} ms before all were sent`);
  await app.close();
}
