import { randomUUID } from 'node:crypto';
import type { ClientSession, mongo } from 'mongoose';
import { firstIdAt } from '../../core/message/message-id.js';
import { howManyFit } from '../../core/runtime/how-many-fit.js';
import type { OutboxRow, OutboxTable, TransactionId } from '../../core/transaction/participant.js';
import { idFromBytes, idToBytes } from '../common/binary-id.js';
import { DURABLE, MAJORITY, type MongoSite, type OutboxDocument } from './mongo-site.js';

/** A relay that died leaves its documents to others after this. */
const HOLD_MS = 30_000;
/** A document of MongoDB has 16 MiB; the rest is for its other fields. */
const MOST_BYTES = 16 * 1024 * 1024 - 1_024;
const FREE = new Date(0);

type Drain = Parameters<OutboxTable<ClientSession>['drain']>;

/**
 * The collection `rivulet_outbox`. MongoDB has no rows that others skip, so a relay marks what it takes. No transaction is
 * open while it publishes.
 */
export class MongoOutbox implements OutboxTable<ClientSession> {
  constructor(private readonly site: MongoSite) {}

  async put(
    session: ClientSession,
    { id, bytes }: { id: TransactionId; bytes: Buffer },
  ): Promise<void> {
    if (bytes.length > MOST_BYTES)
      throw new RangeError(
        `The messages of transaction ${id} have ${bytes.length} bytes, and a document of MongoDB holds ${MOST_BYTES}: they ` +
          'cannot wait in the outbox, so it is rolled back. Send fewer or smaller ones in one transaction.',
      );
    const outbox = await this.site.outbox();
    const row = { _id: idToBytes(id), bytes, size: bytes.length, heldUntil: FREE };
    await outbox.insertOne(row, { session });
  }

  async drain(...[selection, publish]: Drain): Promise<number> {
    const outbox = await this.site.outbox();
    const holder = randomUUID();
    const rows = await this.take(outbox, holder, selection);
    if (rows.length === 0) return 0;
    try {
      await this.remove(await publish(rows));
    } finally {
      await outbox.updateMany({ holder }, { $set: { heldUntil: FREE }, $unset: { holder: '' } });
    }
    return rows.length;
  }

  async remove(ids: readonly TransactionId[]): Promise<void> {
    if (ids.length === 0) return;
    const outbox = await this.site.outbox();
    await outbox.deleteMany({ _id: { $in: ids.map(idToBytes) } }, MAJORITY);
  }

  /** What fits, unless another relay was faster. Nothing that a failover may undo. */
  private async take(
    outbox: mongo.Collection<OutboxDocument>,
    holder: string,
    { limit, maxBytes, before, after }: Drain[0],
  ): Promise<OutboxRow[]> {
    const isFree = { $expr: { $lte: ['$heldUntil', '$$NOW'] } };
    const _id = {
      $lt: idToBytes(firstIdAt(before)),
      ...(after !== undefined && { $gt: idToBytes(after) }),
    };
    const oldest = { sort: { _id: 1 }, limit: Math.floor(limit) } as const;
    const found = await outbox
      .find({ _id, ...isFree }, { ...DURABLE, ...oldest, projection: { size: 1 } })
      .toArray();
    const sizes = found.map(({ size }) => size);
    const ids = found.slice(0, howManyFit(sizes, maxBytes)).map((row) => row._id);
    if (ids.length === 0) return [];
    await outbox.updateMany(
      { _id: { $in: ids }, ...isFree },
      [{ $set: { heldUntil: { $add: ['$$NOW', HOLD_MS] }, holder: { $literal: holder } } }],
      MAJORITY,
    );
    const taken = await outbox.find({ holder }, { ...DURABLE, sort: { _id: 1 } }).toArray();
    return taken.map((row) => ({ id: idFromBytes(row._id), bytes: row.bytes }));
  }
}
