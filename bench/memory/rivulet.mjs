import { MessageProducer } from '../../dist/index.js';
import { bodyAt } from '../bodies.mjs';
import { inParallel } from '../clock.mjs';
import { openApp, TOPIC } from '../rivulet.mjs';

/** Messages as a shop sends them: with tag, key and message group. */
export default async function rivulet({ messages }) {
  const app = await openApp();
  const producer = app.get(MessageProducer);
  await inParallel({ count: messages, inFlight: 1_000 }, (i) => {
    const { orderId } = bodyAt(i);
    return producer.send(TOPIC, bodyAt(i), { tag: 'created', key: orderId, messageGroup: orderId });
  });
  await app.close();
}
