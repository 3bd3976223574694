import { randomBytes } from 'node:crypto';
import mongoose, { type Connection } from 'mongoose';
import { sharedServer } from './servers.js';

export interface MongoDatabase {
  /** Each with sockets of its own, as another process has them. */
  connect(): Promise<Connection>;
  drop(): Promise<void>;
}

/** A fresh database on the server of this run. */
export async function mongoDatabase(): Promise<MongoDatabase> {
  const url = await sharedServer('mongo');
  const dbName = `rivulet_${randomBytes(6).toString('hex')}`;
  const connections: Connection[] = [];
  const connect = async (): Promise<Connection> => {
    const connection = mongoose.createConnection(url, { dbName });
    connections.push(connection);
    return connection.asPromise();
  };
  return {
    connect,
    async drop() {
      await (await connect()).dropDatabase();
      await Promise.all(connections.map((connection) => connection.close()));
    },
  };
}
