import { randomUUID } from 'node:crypto';
import type { mongo } from 'mongoose';
import { WrongDatabaseError } from '../../core/transaction/participant-errors.js';
import { COLLECTIONS, DURABLE, MAJORITY, type MongoSite } from './mongo-site.js';

/** Of MongoDB 4.2: the clock of the server in an update, transactions on a sharded cluster. */
const LEAST_WIRE_VERSION = 8;
const NAMESPACE_EXISTS = 48;

interface Hello {
  setName?: string;
  msg?: string;
  isWritablePrimary?: boolean;
  maxWireVersion?: number;
}

/** Makes nothing where everything is there: the user of an application need not be allowed to. */
export async function makeCollections(site: MongoSite): Promise<void> {
  const db = await site.db();
  await checkServer(site, db);
  const present = await presentIn(db);
  for (const name of COLLECTIONS.filter((one) => !present.has(one)))
    await db.createCollection(name, MAJORITY).catch((error: unknown) => {
      if ((error as { code?: unknown }).code !== NAMESPACE_EXISTS) throw error; // somebody else did
    });
  if (present.has('rivulet_inbox')) return;
  await (await site.inbox()).createIndex({ at: 1 });
}

/** A UUID made once. */
export async function identityOf(site: MongoSite): Promise<string> {
  const db = await site.db();
  await checkServer(site, db);
  const present = await presentIn(db);
  const missing = COLLECTIONS.filter((name) => !present.has(name));
  if (missing.length > 0)
    throw new WrongDatabaseError(
      site.participant,
      `lacks its collections ${missing.join(', ')} in database "${db.databaseName}". Let it make them (createTables), or ` +
        'create them, with an index {at: 1} on rivulet_inbox.',
    );
  const meta = await site.meta();
  const read = (): Promise<{ value: unknown } | null> => meta.findOne({ _id: 'identity' }, DURABLE);
  const known = await read();
  if (known) return String(known.value);
  await meta
    .updateOne(
      { _id: 'identity' },
      { $setOnInsert: { value: randomUUID() } },
      { ...MAJORITY, upsert: true },
    )
    .catch((error: unknown) => {
      if ((error as { code?: unknown }).code !== 11000) throw error; // two at once: the other one's
    });
  const made = await read();
  if (made) return String(made.value);
  throw new WrongDatabaseError(
    site.participant,
    'has just made its identity, and no majority of the replica set has it yet. It is read again.',
  );
}

async function checkServer({ participant }: MongoSite, db: mongo.Db): Promise<void> {
  const why = whyItCannotDecide((await db.command({ hello: 1 })) as Hello);
  if (why) throw new WrongDatabaseError(participant, why);
}

/** By what a server says of itself. */
export function whyItCannotDecide(hello: Hello): string | undefined {
  if (hello.setName === undefined && hello.msg !== 'isdbgrid')
    return (
      'is connected to a standalone server, which has no transactions. Start it with --replSet rs0 and run rs.initiate() ' +
      'once: a replica set may have one member.'
    );
  if (hello.isWritablePrimary === false)
    return (
      'is connected to a member that is not the primary: it cannot decide what became of a transaction. Name the replica ' +
      'set in the URL (replicaSet=…), without directConnection.'
    );
  if ((hello.maxWireVersion ?? 0) < LEAST_WIRE_VERSION)
    return 'is connected to a server older than MongoDB 4.2.';
  return undefined;
}

async function presentIn(db: mongo.Db): Promise<Set<string>> {
  const filter = { name: { $in: COLLECTIONS } };
  const found = await db.listCollections(filter, { nameOnly: true }).toArray();
  return new Set(found.map(({ name }) => name));
}
