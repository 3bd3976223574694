import { createClient } from '@libsql/client';
import * as rivulet from 'nestjs-rivulet';
import * as testing from 'nestjs-rivulet/testing';
import { schema } from 'nestjs-rivulet/participants';
import { libsqlParticipant } from 'nestjs-rivulet/participants/libsql';
import { pgParticipant } from 'nestjs-rivulet/participants/pg';
import { Pool } from 'pg';

const participants = [
  pgParticipant(new Pool(), { name: 'orders' }),
  libsqlParticipant(createClient({ url: 'file:shop.db' })),
];
console.log(participants, schema('postgres'));
console.log(Object.keys(rivulet), Object.keys(testing));
