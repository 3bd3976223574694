import type { Connection } from 'mongoose';
import { mongooseParticipant } from '../../lib/participants/mongoose.js';
import { mongoDatabase, type MongoDatabase } from '../helpers/mongo.js';
import { describeWith } from '../helpers/servers.js';
import { soon, transactionId } from './ids.js';

interface Order {
  _id: string;
  stock?: number;
}

describeWith('mongo')('MongoDB', () => {
  let database: MongoDatabase;
  let connection: Connection;
  beforeAll(async () => {
    database = await mongoDatabase();
    connection = await database.connect();
    await mongooseParticipant(connection).prepare();
    await connection.createCollection('orders');
  });
  afterAll(() => database.drop());
  const orders = (): ReturnType<NonNullable<Connection['db']>['collection']> =>
    connection.db!.collection('orders');

  it('makes what is missing once, by many processes at once', async () => {
    const fresh = await mongoDatabase();
    const participants = await Promise.all(
      Array.from({ length: 4 }, async () => mongooseParticipant(await fresh.connect())),
    );
    await expect(participants[0]!.identity()).rejects.toMatchObject({
      code: 'WRONG_DATABASE',
      message: expect.stringContaining('lacks its collections rivulet_tx'),
    });
    await Promise.all(participants.map((participant) => participant.prepare()));
    const identities = await Promise.all(participants.map((one) => one.identity()));
    expect(new Set(identities).size).toBe(1);
    await fresh.drop();
  });

  it('refuses to commit by less than a majority', async () => {
    const participant = mongooseParticipant(connection);
    const marker = { id: transactionId(), deadline: soon() };
    const weak = connection.transaction(
      async (session) => {
        await orders().insertOne({ _id: 'weak' } as never, { session });
        await participant.mark(session, marker);
      },
      { writeConcern: { w: 1 } },
    );
    await expect(weak).rejects.toMatchObject({
      code: 'INVALID_OPTIONS',
      message: expect.stringContaining('write concern w: 1'),
    });
    expect(await orders().findOne({ _id: 'weak' } as never)).toBeNull();
  });

  describe('a transaction that MongoDB ends', () => {
    /** Fails as MongoDB does when another transaction wrote the same document, so many times. */
    const collide = async (times: { left: number }): Promise<void> => {
      if (times.left-- <= 0) return;
      const { MongoServerError } = connection.base.mongo;
      throw new MongoServerError({
        message: 'WriteConflict',
        code: 112,
        errorLabels: ['TransientTransactionError'],
      });
    };

    it('is run again as often as the user says, and keeps what the last run wrote', async () => {
      const participant = mongooseParticipant(connection);
      let runs = 0;
      const times = { left: 2 };
      const result = await participant.run(
        async (session) => {
          runs += 1;
          await orders().insertOne({ _id: `run ${runs}` } as never, { session });
          await collide(times);
          return runs;
        },
        { maxAttempts: 3 },
      );
      expect([result, runs]).toEqual([3, 3]);
      const found = await orders()
        .find<Order>({ _id: /^run/ } as never)
        .toArray();
      expect(found.map(({ _id }) => _id)).toEqual(['run 3']);
    });

    it('is run once otherwise, and its error is the caller’s', async () => {
      const participant = mongooseParticipant(connection);
      let runs = 0;
      const failing = participant.run(async () => {
        runs += 1;
        await collide({ left: 9 });
      });
      await expect(failing).rejects.toMatchObject({ code: 112 });
      expect(runs).toBe(1);
    });
  });

  it('gives documents of Mongoose their state back when the body fails', async () => {
    const participant = mongooseParticipant(connection);
    const { Schema } = connection.base;
    const Order = connection.model('Order', new Schema<Order>({ _id: String }), 'orders');
    const order = new Order({ _id: 'again' });
    const failing = participant.run(async (session) => {
      await order.save({ session });
      throw new Error('out of stock');
    });
    await expect(failing).rejects.toThrow('out of stock');
    expect(order.isNew).toBe(true);
    await participant.run((session) => order.save({ session }));
    expect(await orders().findOne({ _id: 'again' } as never)).toMatchObject({ _id: 'again' });
  });

  it('refuses messages that do not fit a document of the outbox, before anything is lost', async () => {
    const participant = mongooseParticipant(connection);
    const putting = participant.run((session) =>
      participant.outbox.put(session, { id: transactionId(), bytes: Buffer.alloc(17_000_000) }),
    );
    await expect(putting).rejects.toThrow('17000000 bytes, and a document of MongoDB holds');
  });
});
