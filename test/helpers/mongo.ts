import { randomBytes } from 'node:crypto';
import mongoose, { type Connection } from 'mongoose';
import type { TestDatabase } from './postgres.js';
import { sharedServer } from './servers.js';

export interface MongoDatabase extends TestDatabase {
  /** Each with sockets of its own, as another process has them. */
  connect(): Promise<Connection>;
}

/**
 * A fresh database on the server of this run, which `url` reaches at its one address: what stands between is not gone
 * around. `query` knows the two statements that tests ask of any database.
 */
export async function mongoDatabase(): Promise<MongoDatabase> {
  const url = new URL(await sharedServer('mongo'));
  const name = `rivulet_${randomBytes(6).toString('hex')}`;
  url.pathname = name;
  url.searchParams.delete('replicaSet');
  url.searchParams.set('directConnection', 'true');
  if (!url.searchParams.has('authSource')) url.searchParams.set('authSource', 'admin');
  const connections: Connection[] = [];
  const connect = async (): Promise<Connection> => {
    const connection = mongoose.createConnection(url.href);
    connections.push(connection);
    return connection.asPromise();
  };
  const own = await connect();
  return {
    url: url.href,
    name,
    connect,
    async query(sql) {
      const [, made, read] = /^CREATE TABLE (\w+)|^SELECT id FROM (\w+)$/.exec(sql) ?? [];
      if (made) await own.createCollection(made);
      if (!read) return [];
      const documents = await own.db!.collection(read).find({}).toArray();
      return documents.map(({ _id, ...others }) => ({ id: _id, ...others }));
    },
    async drop() {
      await own.dropDatabase();
      await Promise.all(connections.map((connection) => connection.close()));
    },
  };
}
