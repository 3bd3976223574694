import { MessageProducer } from '../../dist/index.js';
import { bodyAt } from '../bodies.mjs';
import { openApp, TOPIC } from '../rivulet.mjs';
import { measureSends } from './measure.mjs';

export default async function rivulet(job) {
  const { connection } = job;
  const app = await openApp(connection ? { connection } : {});
  const producer = app.get(MessageProducer);
  return measureSends(job, (i) => producer.send(TOPIC, bodyAt(i)));
}
