import { createClient } from '@libsql/client';
import mongoose from 'mongoose';
import { createPool } from 'mysql2/promise';
import pg from 'pg';
import { libsqlParticipant } from '../../../dist/participants/libsql.js';
import { mongooseParticipant } from '../../../dist/participants/mongoose.js';
import { mysql2Participant } from '../../../dist/participants/mysql2.js';
import { pgParticipant } from '../../../dist/participants/pg.js';

/** A participant of each kind, what writes into its table `bills`, and the end of its connections. */
export async function openDatabase(kind, url) {
  if (kind === 'postgres') {
    const pool = new pg.Pool({ connectionString: url, max: 10 });
    pool.on('error', () => undefined);
    return {
      participant: pgParticipant(pool),
      insert: (tx, id) => tx.query('INSERT INTO bills VALUES ($1)', [id]),
      close: () => pool.end(),
    };
  }
  if (kind === 'mariadb') {
    const pool = createPool({ uri: url, connectionLimit: 10 });
    return {
      participant: mysql2Participant(pool),
      insert: (tx, id) => tx.query('INSERT INTO bills VALUES (?)', [id]),
      close: () => pool.end(),
    };
  }
  if (kind === 'mongo') {
    const connection = mongoose.createConnection(url);
    return {
      participant: mongooseParticipant(connection),
      insert: (session, id) => connection.db.collection('bills').insertOne({ id }, { session }),
      close: () => connection.close(),
    };
  }
  const client = createClient({ url });
  return {
    participant: libsqlParticipant(client),
    insert: (tx, id) => tx.execute({ sql: 'INSERT INTO bills VALUES (?)', args: [id] }),
    close: async () => client.close(),
  };
}
