import { createHash } from 'node:crypto';
import type { ClientSession } from 'mongoose';
import type { InboxTable } from '../../core/transaction/participant.js';
import { InboxBusyError } from '../../core/transaction/participant-errors.js';
import { faultOf } from './mongo-error.js';
import { DURABLE, MAJORITY, type MongoSite } from './mongo-site.js';

/** The collection `rivulet_inbox`. */
export class MongoInbox implements InboxTable<ClientSession> {
  constructor(private readonly site: MongoSite) {}

  /**
   * Looks first: an insert that meets a duplicate ends the transaction. MongoDB does not let one transaction wait for
   * another, so a concurrent duplicate is busy at once.
   */
  async enter(
    session: ClientSession,
    entry: { group: string; key: string },
  ): Promise<'entered' | 'duplicate'> {
    const inbox = await this.site.inbox();
    const _id = idOf(entry);
    try {
      if (await inbox.findOne({ _id }, { session, projection: { _id: 1 } })) return 'duplicate';
      await inbox.insertOne({ _id, at: new Date() }, { session });
      return 'entered';
    } catch (error) {
      if (!['duplicate', 'collided'].includes(faultOf(error))) throw error;
      const { participant } = this.site;
      throw new InboxBusyError({ participant, group: entry.group }, { cause: error });
    }
  }

  async purge(before: number, limit: number): Promise<number> {
    const inbox = await this.site.inbox();
    const old = { at: { $lt: new Date(Math.floor(before)) } };
    const some = await inbox
      .find(old, { ...DURABLE, projection: { _id: 1 }, limit: Math.floor(limit) })
      .toArray();
    if (some.length === 0) return 0;
    const ids = some.map(({ _id }) => _id);
    return (await inbox.deleteMany({ _id: { $in: ids } }, MAJORITY)).deletedCount;
  }
}

/** A key may have any length; a digest fits the index. */
function idOf({ group, key }: { group: string; key: string }): Buffer {
  return createHash('sha256')
    .update(JSON.stringify([group, key]))
    .digest();
}
