import { MessageProducer } from '../../dist/index.js';
import { bodyAt } from '../bodies.mjs';
import { inParallel } from '../clock.mjs';
import { openApp, TOPIC } from '../rivulet.mjs';

/** `messageGroups`: over how many the messages are spread. Default: none has one. */
export default async function loadRivulet(job) {
  const { warmUp = 0, messages, topics = [TOPIC], messageGroups } = job;
  const options = (i) => (messageGroups ? { messageGroup: `group-${i % messageGroups}` } : {});
  const app = await openApp();
  const producer = app.get(MessageProducer);
  await inParallel({ count: warmUp + messages, inFlight: 1_000 }, (i) =>
    producer.send(topics[i % topics.length], bodyAt(i), options(i)),
  );
  await app.close();
}
