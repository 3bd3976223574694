import { sql } from 'drizzle-orm';
import { drizzle as onMysql2 } from 'drizzle-orm/mysql2';
import { drizzle as onPg } from 'drizzle-orm/node-postgres';
import { drizzle as onPostgresJs } from 'drizzle-orm/postgres-js';
import mongoose from 'mongoose';
import { type Connection, createPool } from 'mysql2';
import { createPool as createPromisePool } from 'mysql2/promise';
import { Client, Pool } from 'pg';
import postgres from 'postgres';
import { InvalidOptionsError } from '../../../lib/core/message/errors.js';
import { drizzleParticipant } from '../../../lib/participants/drizzle.js';
import { knexParticipant } from '../../../lib/participants/knex.js';
import { libsqlParticipant } from '../../../lib/participants/libsql.js';
import { mongooseParticipant } from '../../../lib/participants/mongoose.js';
import { mysql2Participant } from '../../../lib/participants/mysql2.js';
import { withMessaging } from '../../../lib/participants/nestjs-cls.js';
import { pgParticipant } from '../../../lib/participants/pg.js';
import { prismaParticipant } from '../../../lib/participants/prisma.js';
import { schema } from '../../../lib/participants/sql/schema.js';
import { sqlParticipant } from '../../../lib/participants/sql/sql-participant.js';
import { typeormParticipant } from '../../../lib/participants/typeorm.js';

const MAKERS = {
  drizzleParticipant,
  knexParticipant,
  libsqlParticipant,
  mongooseParticipant,
  mysql2Participant,
  pgParticipant,
  prismaParticipant,
  sqlParticipant,
  typeormParticipant,
  withMessaging,
};

/** As `createConnection` makes it, which connects at once. */
const oneOfMysql2 = { query() {}, execute() {}, promise: () => oneOfMysql2 } as never as Connection;

/** What a maker throws for arguments that TypeScript would refuse. */
function refusal(make: unknown, ...given: unknown[]): unknown {
  try {
    return (make as (...args: unknown[]) => unknown)(...given);
  } catch (error) {
    return error;
  }
}

describe.each(Object.entries(MAKERS))('%s', (name, make) => {
  const text = (error: unknown): string => (error as Error).message;

  it.each([[undefined], [null], ['postgres://user:secret@host/db'], [{}], [[]], [5], [() => 1]])(
    'refuses %p in the place of a client where it is made',
    (client) => {
      const error = refusal(make, client);
      expect(error).toBeInstanceOf(InvalidOptionsError);
      expect(text(error)).toMatch(new RegExp(`^${name}: the first argument must be an? .*, got: `));
    },
  );

  it('names a client that is none and options that are none at once', () => {
    expect(text(refusal(make, undefined, 'shop'))).toMatch(
      /got: undefined; options must be an object, got: a text$/,
    );
  });
});

describe('a participant', () => {
  const client = { transaction() {}, execute() {} };

  it.each([
    ['pgParticipant', pgParticipant, new Client(), 'a Client, which is one connection'],
    ['mysql2Participant', mysql2Participant, createPool({}), 'hand over pool.promise()'],
    ['mongooseParticipant', mongooseParticipant, mongoose, 'mongoose.connection'],
    ['drizzleParticipant', drizzleParticipant, onPg(new Client()), 'hand over a pool'],
    ['drizzleParticipant', drizzleParticipant, onMysql2(oneOfMysql2), 'hand over a pool'],
  ])('of %s is not made of what only looks like its client', (_, make, given, remedy) => {
    expect(refusal(make, given)).toMatchObject({ message: expect.stringContaining(remedy) });
  });

  it('is made of pools that have not connected to anything', () => {
    expect(pgParticipant(new Pool()).name).toBe('default');
    expect(mysql2Participant(createPool({}).promise()).name).toBe('default');
    expect(mysql2Participant(createPromisePool({})).name).toBe('default');
  });

  it('of Drizzle is made of any pool', () => {
    const made = [
      drizzleParticipant(onPg(new Pool()), { sql }),
      drizzleParticipant(onMysql2(createPromisePool({})), { sql }),
      drizzleParticipant(onMysql2(createPool({})), { sql }),
      drizzleParticipant(onPostgresJs(postgres({ max: 1 })), { sql }),
    ];
    expect(made.map(({ name }) => name)).toEqual(made.map(() => 'default'));
  });

  it('says what to bring for Drizzle', () => {
    expect(refusal(drizzleParticipant, client)).toMatchObject({
      message: expect.stringContaining("import { sql } from 'drizzle-orm'"),
    });
  });

  it('is told how long to wait by numbers', () => {
    expect(refusal(libsqlParticipant, client, { busyTimeoutMs: '5s' })).toMatchObject({
      message: expect.stringMatching(/got: "5s", which is 5000 in milliseconds$/),
    });
  });

  it('is made for a dialect that is known, and its tables with options that are', () => {
    const database = { dialect: 'oracle', run() {}, alone() {}, execute() {} };
    expect(refusal(sqlParticipant, database)).toMatchObject({
      message: expect.stringContaining('got: the dialect "oracle"'),
    });
    expect(refusal(schema, 'postgres', { shema: 'app' })).toMatchObject({
      message: expect.stringContaining('did you mean "schema"?'),
    });
  });
});
