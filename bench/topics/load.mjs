import { MessageProducer } from '../../dist/index.js';
import { bodyAt } from '../bodies.mjs';
import { inParallel } from '../clock.mjs';
import { openApp } from '../rivulet.mjs';

const CHUNK = 100;
const IN_FLIGHT = 8;

/**
 * One chunk after the other, each to the next topic: with many topics or few, Redis is asked for the same. Waits between
 * warm-up and measurement until it is told that all of it was handled.
 */
export default async function load({ topics, warmUp, messages }, { ready, stopped: handled }) {
  const app = await openApp();
  const producer = app.get(MessageProducer);
  const chunk = Array.from({ length: CHUNK }, (_, i) => ({ body: bodyAt(i) }));
  const send = (count) =>
    inParallel({ count: count / CHUNK, inFlight: IN_FLIGHT }, (i) =>
      producer.sendBatch(topics[i % topics.length], chunk),
    );
  await send(warmUp);
  await ready();
  await handled;
  await send(messages);
  await app.close();
}
