import type { OutboxRow, OutboxTable, TransactionId } from '../../core/transaction/participant.js';
import { bytesOf, firstIdAt } from './binary-id.js';
import type { Execute, Tables } from './dialect.js';
import type { Site } from './site.js';

/** Where rows cannot be locked, a relay marks what it takes. One that died leaves its rows to others after this. */
const HOLD_MS = 30_000;

type Publish = (rows: readonly OutboxRow[]) => Promise<readonly TransactionId[]>;
interface Selection {
  limit: number;
  before: number;
  after?: TransactionId;
}

/** The table `rivulet_outbox`. */
export class SqlOutboxTable<Tx> implements OutboxTable<Tx> {
  constructor(private readonly site: Site<Tx>) {}

  async put(tx: Tx, { id, bytes }: { id: TransactionId; bytes: Buffer }): Promise<void> {
    const { outbox } = await this.site.tables();
    await this.site.within(tx)(
      `INSERT INTO ${outbox} (id, bytes) VALUES (${this.site.dialect.idPlaceholder}, ?)`,
      [this.site.value(id), bytes],
    );
  }

  drain(selection: Selection, publish: Publish): Promise<number> {
    return this.site.dialect.locksRows
      ? this.drainLocked(selection, publish)
      : this.drainHeld(selection, publish);
  }

  async remove(ids: readonly TransactionId[]): Promise<void> {
    if (ids.length === 0) return;
    await this.site.alone((execute, tables) => this.delete(execute, tables, ids));
  }

  /** Rows of others are skipped, and producers are not: at READ COMMITTED no gap between rows is locked. */
  private drainLocked(selection: Selection, publish: Publish): Promise<number> {
    return this.site.alone(async (execute, tables) => {
      const { where, values } = this.condition(selection);
      const { rows } = await execute(
        `SELECT id, bytes FROM ${tables.outbox} WHERE ${where}
          ORDER BY id LIMIT ${Math.floor(selection.limit)} FOR UPDATE SKIP LOCKED`,
        values,
      );
      if (rows.length > 0) await this.delete(execute, tables, await publish(this.toRows(rows)));
      return rows.length;
    });
  }

  /** In three transactions, none of which is open while `publish` runs: an open one would stop all writers. */
  private async drainHeld(selection: Selection, publish: Publish): Promise<number> {
    const { now } = this.site.dialect;
    const rows = await this.site.alone(async (execute, { outbox }) => {
      const { where, values } = this.condition(selection);
      const taken = await execute(
        `SELECT id, bytes FROM ${outbox} WHERE ${where} AND held_until <= ${now}
          ORDER BY id LIMIT ${Math.floor(selection.limit)}`,
        values,
      );
      const ids = taken.rows.map(({ id }) => this.site.dialect.fromId(id));
      await this.hold(execute, outbox, { ids, until: `${now} + ${HOLD_MS}` });
      return this.toRows(taken.rows);
    });
    if (rows.length === 0) return 0;

    let published: readonly TransactionId[] = [];
    try {
      published = await publish(rows);
    } finally {
      await this.site.alone(async (execute, tables) => {
        await this.delete(execute, tables, published);
        const ids = rows.map(({ id }) => id);
        await this.hold(execute, tables.outbox, { ids, until: '0' });
      });
    }
    return rows.length;
  }

  private condition({ before, after }: Selection): { where: string; values: (string | Buffer)[] } {
    const { idPlaceholder } = this.site.dialect;
    const bounds = [firstIdAt(before), ...(after === undefined ? [] : [after])];
    return {
      where: ['id < ', 'id > ']
        .slice(0, bounds.length)
        .map((is) => is + idPlaceholder)
        .join(' AND '),
      values: bounds.map((id) => this.site.value(id) as string | Buffer),
    };
  }

  private toRows(rows: readonly Record<string, unknown>[]): OutboxRow[] {
    return rows.map(({ id, bytes }) => ({
      id: this.site.dialect.fromId(id),
      bytes: bytesOf(bytes),
    }));
  }

  private async hold(
    execute: Execute,
    outbox: string,
    { ids, until }: { ids: readonly TransactionId[]; until: string },
  ): Promise<void> {
    if (ids.length === 0) return;
    await execute(
      `UPDATE ${outbox} SET held_until = ${until} WHERE id IN (${ids.map(() => '?').join(', ')})`,
      ids.map((id) => this.site.value(id)),
    );
  }

  private async delete(
    execute: Execute,
    { outbox }: Tables,
    ids: readonly TransactionId[],
  ): Promise<void> {
    if (ids.length === 0) return;
    const { idPlaceholder } = this.site.dialect;
    await execute(
      `DELETE FROM ${outbox} WHERE id IN (${ids.map(() => idPlaceholder).join(', ')})`,
      ids.map((id) => this.site.value(id)),
    );
  }
}
