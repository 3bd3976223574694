// Compiled without a look into the types of the databases' clients: not all of them pass a strict compiler.
import { NoOpTransactionalAdapter } from '@nestjs-cls/transactional';
import { createClient } from '@libsql/client';
import { sql } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/node-postgres';
import createKnex from 'knex';
import { createPool } from 'mysql2/promise';
import { drizzleParticipant } from 'nestjs-rivulet/participants/drizzle';
import { knexParticipant } from 'nestjs-rivulet/participants/knex';
import { libsqlParticipant } from 'nestjs-rivulet/participants/libsql';
import { mysql2Participant } from 'nestjs-rivulet/participants/mysql2';
import { withMessaging } from 'nestjs-rivulet/participants/nestjs-cls';
import { openTelemetry } from 'nestjs-rivulet/opentelemetry';
import { pgParticipant } from 'nestjs-rivulet/participants/pg';
import { typeormParticipant } from 'nestjs-rivulet/participants/typeorm';
import { Pool } from 'pg';
import { DataSource } from 'typeorm';

console.log([
  drizzleParticipant(drizzle(new Pool()), { sql }),
  knexParticipant(createKnex({ client: 'pg' })),
  libsqlParticipant(createClient({ url: 'file:shop.db' })),
  mysql2Participant(createPool('mysql://127.0.0.1/shop')),
  pgParticipant(new Pool(), { name: 'orders' }),
  typeormParticipant(new DataSource({ type: 'postgres' })),
]);

console.log(withMessaging(new NoOpTransactionalAdapter({ tx: undefined })));

console.log(openTelemetry({ relation: 'link' }).current()?.traceparent);

// Types that did not resolve would accept anything.
// @ts-expect-error no database
drizzleParticipant(17, { sql });
// @ts-expect-error no knex
knexParticipant(17);
// @ts-expect-error no client
libsqlParticipant(17);
// @ts-expect-error no pool
mysql2Participant(17);
// @ts-expect-error no pool
pgParticipant(17);
// @ts-expect-error no data source
typeormParticipant(17);
// @ts-expect-error no adapter
withMessaging(17);
// @ts-expect-error no relation
openTelemetry({ relation: 'child' });
