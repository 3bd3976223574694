// A process that dies between its COMMIT and its message. argv: number of its order.
import { MessageProducer, Transactions } from '../../dist/index.js';
import { pgParticipant } from '../../dist/participants/pg.js';
import { nanoseconds } from '../clock.mjs';
import { openApp, TOPIC } from '../rivulet.mjs';
import { insertOrder, openPool } from './database.mjs';

const order = Number(process.argv[2]);
const real = pgParticipant(openPool({ inFlight: 1 }));
const participant = Object.assign(Object.create(real), {
  name: real.name,
  async run(body, options) {
    await real.run(body, options);
    process.send({ at: nanoseconds() }, () => process.kill(process.pid, 'SIGKILL'));
    return new Promise(() => {});
  },
});
const app = await openApp({ transactions: { participants: [participant] } });
const [producer, transactions] = [MessageProducer, Transactions].map((token) => app.get(token));
await transactions.run(async (client) => {
  await insertOrder(client, order, 'x');
  await producer.send(TOPIC, { order });
});
