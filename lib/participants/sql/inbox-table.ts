import { createHash } from 'node:crypto';
import type { InboxTable } from '../../core/transaction/participant.js';
import { InboxBusyError } from '../../core/transaction/participant-errors.js';
import type { Site } from './site.js';

/** The table `rivulet_inbox`. */
export class SqlInboxTable<Tx> implements InboxTable<Tx> {
  constructor(private readonly site: Site<Tx>) {}

  async enter(tx: Tx, entry: { group: string; key: string }): Promise<'entered' | 'duplicate'> {
    const { participant, dialect } = this.site;
    const { inbox } = await this.site.tables();
    try {
      const isNew = await dialect.insertInbox(this.site.within(tx), { inbox, id: idOf(entry) });
      return isNew ? 'entered' : 'duplicate';
    } catch (error) {
      if (!['locked', 'collided'].includes(dialect.faultOf(error))) throw error;
      throw new InboxBusyError({ participant, group: entry.group }, { cause: error });
    }
  }

  async leave(tx: Tx): Promise<void> {
    const { participant, dialect } = this.site;
    try {
      await this.site.within(tx)(dialect.guard?.check ?? 'SELECT 1 AS still');
    } catch (error) {
      if (dialect.faultOf(error) !== 'ended') throw error;
      throw new Error(
        `Participant "${participant}" ended the transaction of this handler on the way: the error of a statement was swallowed, ` +
          'or a statement commits by itself (DDL in MySQL). Let the error through, or move that statement out.',
        { cause: error },
      );
    }
  }

  purge(before: number, limit: number): Promise<number> {
    return this.site.alone(async (execute, { inbox }) => {
      const sql = this.site.dialect.deleteSome({
        from: inbox,
        where: 'at < ?',
        limit: Math.floor(limit),
      });
      return (await execute(sql, [Math.floor(before)])).affected;
    });
  }
}

/** A key may have any length and any characters; a digest fits the column of every database. */
function idOf({ group, key }: { group: string; key: string }): Buffer {
  return createHash('sha256')
    .update(JSON.stringify([group, key]))
    .digest();
}
