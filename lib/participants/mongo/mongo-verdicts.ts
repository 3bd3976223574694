import type { ClientSession } from 'mongoose';
import { InvalidOptionsError } from '../../core/message/errors.js';
import { firstIdAt, mintedAt } from '../../core/message/message-id.js';
import type { TransactionId, Verdict } from '../../core/transaction/participant.js';
import {
  type MarkerRefusal,
  MarkerRefusedError,
} from '../../core/transaction/participant-errors.js';
import { decideInTime } from '../common/decide-in-time.js';
import { idFromBytes, idToBytes } from '../common/binary-id.js';
import { faultOf, isInTheWay } from './mongo-error.js';
import { DURABLE, MAJORITY, type MongoSite } from './mongo-site.js';

/** How long an insert is tried against a transaction that has written the same id and is still open. */
const LOCK_WAIT_MS = 500;
const MOST_IDS_IN_A_QUERY = 500;
const MOST_INSERTS_AT_ONCE = 16;

/** The collection `rivulet_tx`: at most one document for an id, written once, by the transaction ('C') or a checker ('R'). */
export class MongoVerdicts {
  constructor(private readonly site: MongoSite) {}

  async mark(
    session: ClientSession,
    { id, deadline }: { id: TransactionId; deadline: number },
  ): Promise<void> {
    const { participant } = this.site;
    const refused = (reason: MarkerRefusal, cause?: unknown): MarkerRefusedError =>
      new MarkerRefusedError({ participant, id, reason }, { cause });
    checkWriteConcern(session);
    const verdicts = await this.site.verdicts();
    const inTime = { $lt: ['$$NOW', new Date(Math.floor(deadline))] };
    try {
      // An insert that looks at the clock of the server: no document has this `v`, so one that has the id is in its way.
      const made = await verdicts.findOneAndUpdate(
        { _id: idToBytes(id), v: 'none' as never },
        [{ $set: { v: { $cond: [inTime, 'C', 'late'] } } }],
        { session, upsert: true, returnDocument: 'after' },
      );
      if (made?.v === 'C') return;
    } catch (error) {
      const fault = faultOf(error);
      if (fault === 'duplicate') throw refused('decided', error);
      if (fault === 'ended') throw refused('ended', error);
      // What was written after the snapshot of the transaction is in its way, too, without being said to be a duplicate.
      if (fault === 'collided' && (await this.isDecidedAgainst(id)))
        throw refused('decided', error);
      throw error;
    }
    throw refused('too-late');
  }

  decide(
    ids: readonly TransactionId[],
    tell?: (why: Error) => void,
  ): Promise<Map<TransactionId, Verdict>> {
    return decideInTime({ ids, tell, ask: (some, verdicts) => this.ask(some, verdicts, tell) });
  }

  /** Nobody may decide them afterwards: only then are they deleted. */
  async purge(before: number, limit: number): Promise<number> {
    const [meta, verdicts] = [await this.site.meta(), await this.site.verdicts()];
    await meta.updateOne(
      { _id: 'purged_before' },
      { $max: { value: Math.floor(before) } },
      { ...MAJORITY, upsert: true },
    );
    const old = { _id: { $lt: idToBytes(firstIdAt(before)) } };
    const some = await verdicts
      .find(old, { ...DURABLE, projection: { _id: 1 }, limit: Math.floor(limit) })
      .toArray();
    if (some.length === 0) return 0;
    const ids = some.map(({ _id }) => _id);
    return (await verdicts.deleteMany({ _id: { $in: ids } }, MAJORITY)).deletedCount;
  }

  private async ask(
    ids: TransactionId[],
    verdicts: Map<TransactionId, Verdict>,
    tell?: (why: Error) => void,
  ): Promise<void> {
    await this.read(ids, verdicts);
    const open = ids.filter((id) => verdicts.get(id) === 'unknown');
    for (let i = 0; i < open.length; i += MOST_INSERTS_AT_ONCE) {
      const some = open.slice(i, i + MOST_INSERTS_AT_ONCE);
      await Promise.all(some.map((id) => this.insertRollback(id, tell)));
      await this.read(some, verdicts);
    }
  }

  /**
   * What is read here no failover undoes. The border of what was purged is read after the verdicts: a rollback that a
   * checker inserted where an older verdict had been deleted meanwhile is no verdict.
   */
  private async read(ids: TransactionId[], verdicts: Map<TransactionId, Verdict>): Promise<void> {
    const collection = await this.site.verdicts();
    for (let i = 0; i < ids.length; i += MOST_IDS_IN_A_QUERY) {
      const some = ids.slice(i, i + MOST_IDS_IN_A_QUERY);
      const found = await collection.find({ _id: { $in: some.map(idToBytes) } }, DURABLE).toArray();
      const known = new Map(found.map(({ _id, v }) => [idFromBytes(_id), v]));
      const purgedBefore = await this.purgedBefore();
      for (const id of some) {
        if (known.get(id) === 'C') verdicts.set(id, 'commit');
        else if (mintedAt(id) < purgedBefore) verdicts.set(id, 'forgotten');
        else if (known.get(id) === 'R') verdicts.set(id, 'rollback');
      }
    }
  }

  private async purgedBefore(): Promise<number> {
    const found = await (await this.site.meta()).findOne({ _id: 'purged_before' }, DURABLE);
    return Number(found?.value ?? 0);
  }

  /** Whatever comes of it: only what is read afterwards counts. */
  private async insertRollback(id: TransactionId, tell?: (why: Error) => void): Promise<void> {
    const verdicts = await this.site.verdicts();
    await verdicts
      .insertOne({ _id: idToBytes(id), v: 'R' }, { ...MAJORITY, maxTimeMS: LOCK_WAIT_MS })
      .catch((error: Error) => {
        if (!isInTheWay(error)) tell?.(error);
      });
  }

  private async isDecidedAgainst(id: TransactionId): Promise<boolean> {
    const verdicts = await this.site.verdicts();
    return (await verdicts.findOne({ _id: idToBytes(id) }, { readPreference: 'primary' })) !== null;
  }
}

/** Of a transaction that somebody else began, by the decorator of another library or with a connection string of `w=1`. */
function checkWriteConcern(session: ClientSession): void {
  const { transaction } = session as unknown as {
    transaction: { options: { writeConcern?: { w?: string | number } } };
  };
  const w = transaction.options.writeConcern?.w;
  if (w === 'majority') return;
  throw new InvalidOptionsError('Transaction', [
    `it would be committed with write concern ${w === undefined ? 'of the server' : `w: ${w}`}, and must be with ` +
      '"majority": a failover would undo COMMIT after its messages were seen. Set w=majority in the URL of the connection, ' +
      'or in the options of what begins the transaction',
  ]);
}
