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
