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

/** Refuse none of what is below: every other function refuses some of it. */
const TAKES_ALL = [
  // Decorators: what they were given is refused at the start, with the method that it is about.
  ...['Subscribe', 'SubscribeBatch', 'TransactionCheck', 'Transactional', 'TransactionalMessage'],
  // A reason is whatever somebody has.
  'RejectMessageError',
  // Called by the library, or by Nest, with what it has made; the methods of a builder and a module refuse.
  ...['BatchContext', 'BatchResult', 'RivuletContext', 'RivuletModule', 'RivuletRecordBuilder'],
  // They make a strategy, and have no options.
  ...['hashedQueue', 'randomQueue', 'roundRobinQueue'],
];

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

/** How often a function refused its arguments; `blunders`: with no error of the library, so no `code` and no word of what to do. */
async function refusalsOf(call: Callable): Promise<{ refused: number; blunders: string[] }> {
  const blunders: string[] = [];
  let refused = 0;
  for (const args of WRONG) {
    try {
      const isClass = call.toString().startsWith('class');
      await (isClass ? Reflect.construct(call, args) : call(...args));
    } catch (error) {
      refused += 1;
      if (!(error instanceof main.RivuletError))
        blunders.push(`(${args.map((arg) => inspect(arg)).join(', ')}): ${String(error)}`);
    }
  }
  return { refused, blunders };
}

describe('whatever can be imported', () => {
  it('is looked at below', () => {
    expect(exported.length).toBeGreaterThan(50);
  });

  it.each(exported.filter(([name]) => !TAKES_ALL.includes(name)))(
    'refuses wrong arguments, and only with errors of the library: %s',
    async (_, call) => {
      const { refused, blunders } = await refusalsOf(call);
      expect(blunders).toEqual([]);
      expect(refused).toBeGreaterThan(0);
    },
  );

  it.each(exported.filter(([name]) => TAKES_ALL.includes(name)))(
    'fails with no other error, whatever it is given: %s',
    async (_, call) => {
      expect((await refusalsOf(call)).blunders).toEqual([]);
    },
  );

  it.each([[null], ['x'], [5], [[]], [() => 1], [{ nonsense: 1 }]])(
    'answers wrong options of a TestBed in words: %p',
    async (options) => {
      const opening = testing.TestBed.open(options as never);
      await expect(opening).rejects.toBeInstanceOf(main.RivuletError);
    },
  );
});
