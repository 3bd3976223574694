import { Events, MessageProducer, Transactions } from '../../dist/index.js';
import { pgParticipant } from '../../dist/participants/pg.js';
import { bodyAt, textAt } from '../bodies.mjs';
import { openApp, TOPIC } from '../rivulet.mjs';
import { insertOrder, makeTables, openPool } from './database.mjs';
import { measureTransactions } from './measure.mjs';

/** Ours: an order and its message. `sends`: false = the order alone. */
export default async function rivulet(job) {
  const pool = openPool(job);
  await makeTables(pool);
  const app = await openApp({
    transactions: { participants: [pgParticipant(pool)], store: job.store },
  });
  const [producer, transactions, events] = [MessageProducer, Transactions, Events].map((token) =>
    app.get(token),
  );
  const place = (i) =>
    transactions.run(async (client) => {
      await insertOrder(client, i, textAt(i));
      if (job.sends) await producer.send(TOPIC, bodyAt(i), { key: String(i) });
    });
  const whenVisible = (listen) => events.on('published', ({ key }) => listen(Number(key)));
  return measureTransactions(job, place, job.sends && { whenVisible });
}
