import { MessageProducer, Transactions } from '../../dist/index.js';
import { bodyAt } from '../bodies.mjs';
import { openApp, TOPIC } from '../rivulet.mjs';
import { measureSends } from '../send/measure.mjs';
import { noOpParticipant } from './no-op-participant.mjs';

/** Transactions of one message each. */
export default async function rivulet(job) {
  const app = await openApp({ transactions: { participants: [noOpParticipant] } });
  const producer = app.get(MessageProducer);
  const transactions = app.get(Transactions);
  return measureSends(job, (i) => transactions.run(() => producer.send(TOPIC, bodyAt(i))));
}
