// One process that places orders in MongoDB, with messages, and looks after those of others; to be killed.
// argv: Redis URL, JSON of { namespace, database, lanes, transactions, control, dieAfter }
//   control   'publish-after-commit', what must not be done
//   dieAfter  then: with which COMMIT it kills itself, before that order is published
import { setTimeout as wait } from 'node:timers/promises';
import mongoose from 'mongoose';
import { Rivulet } from '../../../dist/core/rivulet.js';
import { mongooseParticipant } from '../../../dist/participants/mongoose.js';
import { RedisStores } from '../../../dist/redis/redis-stores.js';
import '../../helpers/parent.mjs';

const [url, json] = process.argv.slice(2);
const { namespace, database, lanes, transactions, control, dieAfter } = JSON.parse(json);
/** Some take their time at the end of their body, some fail. */
const [SLOW, SLOW_MS, FAILING] = [0.02, 600, 0.02];

const connection = await mongoose.createConnection(database).asPromise();
const participant = mongooseParticipant(connection);
const rivulet = new Rivulet({
  stores: new RedisStores({ connection: url, namespace }),
  settings: {
    topics: { queues: 2 },
    transactions: { participants: [participant], ...transactions },
  },
});
await rivulet.open(30_000);
for (const topic of ['orders', 'audit']) await rivulet.topics.get(topic);

const insert = (_id, session) => connection.db.collection('orders').insertOne({ _id }, { session });
const send = async (_id) => {
  await rivulet.producer.send('orders', _id, { key: _id });
  await rivulet.producer.send('audit', _id, { key: _id });
};
let committed = 0;
async function place(_id) {
  if (control === 'publish-after-commit') {
    await participant.run((session) => insert(_id, session));
    if (++committed === dieAfter) process.kill(process.pid, 'SIGKILL');
    return send(_id);
  }
  return rivulet.transactions.run(async (session) => {
    await insert(_id, session);
    await send(_id);
    if (Math.random() < SLOW) await wait(SLOW_MS);
    if (Math.random() < FAILING) throw new Error('out of stock');
  });
}

const stopping = new AbortController();
async function placeOn(lane) {
  // What is expected is in the database: an error says that it is not, or that nobody knows.
  for (let n = 0; !stopping.signal.aborted; n++)
    await place(`${namespace}:${process.pid}:${lane}:${n}`).catch(() => wait(20));
}
const working = Array.from({ length: lanes }, (_, lane) => placeOn(lane));
process.send({ ready: true });
process.once('SIGTERM', () => {
  stopping.abort();
  void Promise.all(working)
    .then(() => rivulet.stop())
    .then(() => connection.close())
    .then(() => process.exit(0));
});
