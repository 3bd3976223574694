import type { ClientSession, Connection, mongo } from 'mongoose';
import type { TransactionParticipant } from '../../lib/core/transaction/participant.js';
import { mongooseParticipant } from '../../lib/participants/mongoose.js';
import { mongoDatabase } from '../helpers/mongo.js';
import { describeWith } from '../helpers/servers.js';
import type { ParticipantHarness } from './harness.js';
import { describeParticipant } from './participant.contract.js';

interface Order {
  _id: string;
}

async function open(): Promise<ParticipantHarness<ClientSession>> {
  const database = await mongoDatabase();
  const outside = await database.connect();
  await outside.createCollection('orders');
  const clients = new Map<TransactionParticipant<ClientSession>, Connection>();
  /** A session works with the client that it is of. */
  const ordersOf = (session: ClientSession): mongo.Collection<Order> => {
    const { client } = session as unknown as { client: mongo.MongoClient };
    return client.db(outside.name).collection('orders');
  };
  /** Servers of another make know one of the two commands. */
  const end = async ({ id }: ClientSession): Promise<void> => {
    const admin = outside.db!.admin();
    await admin.command({ killSessions: [id] }).catch(() => admin.command({ endSessions: [id] }));
  };
  return {
    dialect: 'mongodb',
    async open(options) {
      const connection = await database.connect();
      const participant = mongooseParticipant(connection, options);
      clients.set(participant, connection);
      return participant;
    },
    write: async (session, _id) => void (await ordersOf(session).insertOne({ _id }, { session })),
    async orders() {
      const orders = outside.db!.collection<Order>('orders');
      const found = await orders.find({}, { sort: { _id: 1 } }).toArray();
      return found.map(({ _id }) => _id);
    },
    read: (session) => ordersOf(session).find({}, { session }).toArray(),
    kill: end,
    swallow: end,
    foreign: (participant, body) => clients.get(participant)!.transaction(body),
    async empty() {
      for (const name of ['orders', 'rivulet_tx', 'rivulet_outbox', 'rivulet_inbox'])
        await outside.db!.collection(name).deleteMany({});
      await outside.db!.collection('rivulet_meta').deleteMany({ value: { $type: 'number' } });
    },
    close: () => database.drop(),
  };
}

describeWith('mongo')('Mongoose', () => {
  describeParticipant(open, {
    writersMeet: true,
    kill: true,
    swallow: true,
    foreign: true,
    savepoints: false,
    waits: false,
  });
});
