import { Inject, Module, type OnApplicationShutdown } from '@nestjs/common';
import { diesAt, dying } from '../demo/dying-participant.js';
import { Database } from './database.js';
import { Postgres } from './postgres.js';
import { Sqlite } from './sqlite.js';

/** `DATABASE_URL`: `postgres://…`, `file:…`, or nothing. */
async function openDatabase(): Promise<Database> {
  const url = process.env.DATABASE_URL;
  const database = url?.startsWith('postgres') ? new Postgres(url) : new Sqlite(url);
  await database.query(
    `CREATE TABLE IF NOT EXISTS orders (id varchar(64) PRIMARY KEY, item text NOT NULL,
      quantity integer NOT NULL, card text NOT NULL, total_cents integer NOT NULL)`,
    [],
  );
  const point = diesAt();
  return point ? dying(database, point) : database;
}

@Module({
  providers: [{ provide: Database, useFactory: openDatabase }],
  exports: [Database],
})
export class DatabaseModule implements OnApplicationShutdown {
  constructor(@Inject(Database) private readonly database: Database) {}

  onApplicationShutdown(): Promise<void> {
    return this.database.close();
  }
}
