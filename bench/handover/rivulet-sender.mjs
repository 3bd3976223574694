import { MessageProducer } from '../../dist/index.js';
import { bodies } from '../bodies.mjs';
import { openApp, TOPIC } from '../rivulet.mjs';
import { sendPaced } from './paced-sender.mjs';

export default async function rivuletSender(job) {
  const app = await openApp();
  const producer = app.get(MessageProducer);
  let i = 0;
  await sendPaced(job, (sentAt) => producer.send(TOPIC, { ...bodies[i++ % 100], sentAt }));
  await app.close();
}
