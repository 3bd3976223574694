import { inspect } from 'node:util';
import * as main from 'nestjs-rivulet';
import * as openTelemetry from 'nestjs-rivulet/opentelemetry';
import * as participants from 'nestjs-rivulet/participants';
import * as drizzle from 'nestjs-rivulet/participants/drizzle';
import * as knex from 'nestjs-rivulet/participants/knex';
import * as libsql from 'nestjs-rivulet/participants/libsql';
import * as mongoose from 'nestjs-rivulet/participants/mongoose';
import * as mysql2 from 'nestjs-rivulet/participants/mysql2';
import * as cls from 'nestjs-rivulet/participants/nestjs-cls';
import * as pg from 'nestjs-rivulet/participants/pg';
import * as prisma from 'nestjs-rivulet/participants/prisma';
import * as typeorm from 'nestjs-rivulet/participants/typeorm';
import * as testing from 'nestjs-rivulet/testing';

const MODULES = { main, testing, openTelemetry, participants };
const ADAPTERS = [drizzle, knex, libsql, mongoose, mysql2, cls, pg, prisma, typeorm];

/** What the library makes, hands out or throws: nobody calls `new` on them, nor a strategy with what it was not given. */
const MADE_HERE =
  /Error$|^(Events|MessageAdmin|MessageConsumer|MessageProducer|RivuletHealth|Transactions|TestBed|allocate.*)$/;
/** Users throw these. */
const THROWN_BY_USERS = ['RetryLaterError', 'RejectMessageError'];

const WRONG: unknown[][] = [
  [],
  ...[null, {}, 'x', '', 5, Number.NaN, -1, [], () => 1, { nonsense: 1 }, 5n].map((it) => [it]),
  ...[null, 0, -1, 'x', Number.NaN, { nonsense: 1 }, [], () => 1].map((it) => ['a', it]),
];

type Callable = (...args: unknown[]) => unknown;

const exported: [string, Callable][] = [...Object.values(MODULES), ...ADAPTERS]
  .flatMap((module) => Object.entries(module as Record<string, unknown>))
  .filter((entry): entry is [string, Callable] => typeof entry[1] === 'function')
  .filter(([name]) => !MADE_HERE.test(name) || THROWN_BY_USERS.includes(name));

/** What was thrown and is no error of the library: no `code` and no word of what to do. */
async function blunders(call: Callable): Promise<string[]> {
  const found: string[] = [];
  for (const args of WRONG) {
    try {
      const isClass = call.toString().startsWith('class');
      await (isClass ? Reflect.construct(call, args) : call(...args));
    } catch (error) {
      if (!(error instanceof main.RivuletError))
        found.push(`(${args.map((arg) => inspect(arg)).join(', ')}): ${String(error)}`);
    }
  }
  return found;
}

describe('whatever can be imported', () => {
  it('is looked at below', () => {
    expect(exported.length).toBeGreaterThan(50);
  });

  it.each(exported)('answers wrong arguments in words: %s', async (_, call) => {
    expect(await blunders(call)).toEqual([]);
  });

  it.each([[null], ['x'], [5], [[]], [() => 1], [{ nonsense: 1 }]])(
    'answers wrong options of a TestBed in words: %p',
    async (options) => {
      const opening = testing.TestBed.open(options as never);
      await expect(opening).rejects.toBeInstanceOf(main.RivuletError);
    },
  );
});
