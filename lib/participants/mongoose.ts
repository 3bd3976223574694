import type { ClientSession, Connection, mongo } from 'mongoose';
import { InvalidOptionsError } from '../core/message/errors.js';
import { describeValue, unknownOptions } from '../core/message/options.js';
import { sleep, systemClock } from '../core/runtime/clock.js';
import type { TransactionParticipant } from '../core/transaction/participant.js';
import { checkGiven, type ClientWanted } from './common/given.js';
import { identityOf, makeCollections } from './mongo/mongo-collections.js';
import { isTransient } from './mongo/mongo-error.js';
import { MongoInbox } from './mongo/mongo-inbox.js';
import { MongoOutbox } from './mongo/mongo-outbox.js';
import { MAJORITY, MongoSite } from './mongo/mongo-site.js';
import { MongoVerdicts } from './mongo/mongo-verdicts.js';
import { ForeignTransactions, INSTEAD_OF_FOREIGN_FLAT } from './common/foreign-transactions.js';

export interface MongooseParticipantOptions {
  /** Which database decides, as half messages say it. Unique within an application. Default `default`. */
  name?: string;
}

export interface MongooseTransactionOptions {
  /**
   * How often the whole body is run, at most, when MongoDB says that the transaction failed and may be tried again (most
   * often since another one wrote the same document). Only the messages of the last run are sent; what else the body does
   * outside of the database is done again. Default 1: the error is the caller's.
   */
  maxAttempts?: number;
  /** How long COMMIT may take on the server. Default: as long as the server lets it. */
  maxCommitTimeMs?: number;
}

const KNOWN: readonly (keyof MongooseTransactionOptions)[] = ['maxAttempts', 'maxCommitTimeMs'];
const CONNECTION: ClientWanted = {
  what: 'a connection of Mongoose: mongoose.connection, or createConnection(url)',
  methods: ['transaction', 'startSession'],
  whyNot: (connection) => ('connections' in connection ? 'all of mongoose' : undefined),
};
const FIRST_PAUSE_MS = 5;
const LONGEST_PAUSE_MS = 500;

/**
 * MongoDB 4.2 or later, a replica set or a sharded cluster, through a connection of Mongoose. `tx` is the session: hand it
 * to every statement of the body, one after the other (`Order.create([order], { session })`), or set Mongoose's
 * `transactionAsyncLocalStorage`. A statement without it is none of the transaction.
 *
 * Transactions read a snapshot and are committed by a majority, whatever the connection says otherwise.
 */
export function mongooseParticipant(
  connection: Connection,
  options: MongooseParticipantOptions = {},
): TransactionParticipant<ClientSession, MongooseTransactionOptions> {
  checkGiven('mongooseParticipant', { client: connection, options }, CONNECTION);
  checkOptions(options);
  const name = options.name ?? 'default';
  const site = new MongoSite(name, connection);
  const verdicts = new MongoVerdicts(site);
  const others = ForeignTransactions.of(connection, 'transaction');
  const begin = others.begin as Connection['transaction'];

  return {
    name,
    prepare: async () => {
      await makeCollections(site);
      await identityOf(site);
    },
    identity: () => identityOf(site),
    run: (body, runOptions = {}) => repeated(begin, body, runOptions),
    mark: (session, marker) => verdicts.mark(session, marker),
    decide: (ids, tell) => verdicts.decide(ids, tell),
    purge: (before, limit) => verdicts.purge(before, limit),
    foreign: () => (others.isOpen() ? INSTEAD_OF_FOREIGN_FLAT : undefined),
    within: (session, work) => others.within(session, work),
    outbox: new MongoOutbox(site),
    inbox: new MongoInbox(site),
  };
}

async function repeated<Result>(
  begin: Connection['transaction'],
  body: (session: ClientSession) => Promise<Result>,
  options: MongooseTransactionOptions,
): Promise<Result> {
  checkRunOptions(options);
  const { maxAttempts = 1 } = options;
  for (let attempt = 1; ; attempt++) {
    try {
      return await once(begin, body, transactionOptions(options));
    } catch (error) {
      if (attempt >= maxAttempts || !isTransient(error)) throw error;
    }
    // Those that collided must not meet again.
    const longest = Math.min(FIRST_PAUSE_MS * 2 ** attempt, LONGEST_PAUSE_MS);
    await sleep(systemClock, Math.random() * longest);
  }
}

/**
 * Mongoose's own `transaction`, which gives its documents back their state after a rollback. It would run the body again for
 * two minutes, so it is not told how the body ended, nor does it commit.
 */
async function once<Result>(
  begin: Connection['transaction'],
  body: (session: ClientSession) => Promise<Result>,
  options: mongo.TransactionOptions,
): Promise<Result> {
  let end: { result: Result } | { error: unknown } | undefined;
  const rolledBack = new Error('the body of the transaction rejected');
  await begin(async (session) => {
    try {
      end = { result: await body(session) };
    } catch (error) {
      end = { error };
      throw rolledBack;
    }
    await session.commitTransaction().catch((error: unknown) => void (end = { error }));
  }, options).catch((error: unknown) => void (end ??= { error }));
  if ('error' in end!) throw end.error;
  return end!.result;
}

const transactionOptions = ({
  maxCommitTimeMs,
}: MongooseTransactionOptions): mongo.TransactionOptions => ({
  ...MAJORITY,
  readConcern: { level: 'snapshot' },
  readPreference: 'primary',
  ...(maxCommitTimeMs !== undefined && { maxCommitTimeMS: maxCommitTimeMs }),
});

function checkOptions(options: MongooseParticipantOptions): void {
  const { name } = options;
  const problems = unknownOptions(options, ['name']);
  if (name !== undefined && (typeof name !== 'string' || name === ''))
    problems.push('name must be a text that is not empty');
  if (problems.length > 0) throw new InvalidOptionsError('participant', problems);
}

function checkRunOptions(options: MongooseTransactionOptions): void {
  const { writeConcern, readConcern, ...others } = options as MongooseTransactionOptions &
    mongo.TransactionOptions;
  const problems = unknownOptions(others, KNOWN);
  if (writeConcern !== undefined)
    problems.push(
      'writeConcern cannot be chosen: it is "majority", since a failover would undo another COMMIT after its messages were seen',
    );
  if (readConcern !== undefined) problems.push('readConcern cannot be chosen: it is "snapshot"');
  for (const option of KNOWN) {
    const value: unknown = others[option];
    if (value !== undefined && !(Number.isInteger(value) && (value as number) >= 1))
      problems.push(`${option} must be an integer from 1, got: ${describeValue(value)}`);
  }
  if (problems.length > 0) throw new InvalidOptionsError('Transaction', problems);
}
