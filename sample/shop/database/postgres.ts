import pg from 'pg';
import { pgParticipant } from 'nestjs-rivulet/participants/pg';
import { Database } from './database.js';

export class Postgres extends Database {
  private readonly pool: pg.Pool;
  readonly participant;

  constructor(url: string) {
    super();
    this.pool = new pg.Pool({ connectionString: url });
    this.participant = pgParticipant(this.pool);
  }

  async query<Row>(sql: string, values: (string | number)[], tx?: unknown): Promise<Row[]> {
    const { rows } = await ((tx as pg.PoolClient | undefined) ?? this.pool).query(sql, values);
    return rows as Row[];
  }

  close(): Promise<void> {
    return this.pool.end();
  }
}
