import { MessageProducer } from '../../dist/index.js';
import { bodyAt } from '../bodies.mjs';
import { inParallel } from '../clock.mjs';
import { openApp, TOPIC } from '../rivulet.mjs';

/** `options(i)` says what else is sent with message i. */
export default async function loadRivulet({ warmUp = 0, messages, topics = [TOPIC] }) {
  const app = await openApp();
  const producer = app.get(MessageProducer);
  await inParallel({ count: warmUp + messages, inFlight: 1_000 }, (i) =>
    producer.send(topics[i % topics.length], bodyAt(i)),
  );
  await app.close();
}
