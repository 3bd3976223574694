import { createClient } from '@libsql/client';
import { createPool } from 'mysql2/promise';
import * as rivulet from 'nestjs-rivulet';
import * as testing from 'nestjs-rivulet/testing';
import { schema } from 'nestjs-rivulet/participants';
import { libsqlParticipant } from 'nestjs-rivulet/participants/libsql';
import { mysql2Participant } from 'nestjs-rivulet/participants/mysql2';
import { pgParticipant } from 'nestjs-rivulet/participants/pg';
import { Pool } from 'pg';

const participants = [
  pgParticipant(new Pool(), { name: 'orders' }),
  mysql2Participant(createPool('mysql://127.0.0.1/shop')),
  libsqlParticipant(createClient({ url: 'file:shop.db' })),
];
console.log(participants, schema('postgres'));
console.log(Object.keys(rivulet), Object.keys(testing));
