import { firstIdAt } from '../../core/message/message-id.js';
import { howManyFit } from '../../core/runtime/how-many-fit.js';
import type { OutboxRow, OutboxTable, TransactionId } from '../../core/transaction/participant.js';
import { bytesOf } from '../common/binary-id.js';
import type { Execute, Tables } from './dialect.js';
import type { Site } from './site.js';

/** Where rows cannot be locked, a relay marks what it takes. One that died leaves its rows to others after this. */
const HOLD_MS = 30_000;

type Publish = (rows: readonly OutboxRow[]) => Promise<readonly TransactionId[]>;
interface Selection {
  limit: number;
  maxBytes: number;
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
      const ids = await this.fitting(execute, tables, { selection, end: 'FOR UPDATE SKIP LOCKED' });
      if (ids.length === 0) return 0;
      const rows = await this.read(execute, tables, ids);
      await this.delete(execute, tables, await publish(rows));
      return rows.length;
    });
  }

  /** In three transactions, none of which is open while `publish` runs: an open one would stop all writers. */
  private async drainHeld(selection: Selection, publish: Publish): Promise<number> {
    const { now } = this.site.dialect;
    const rows = await this.site.alone(async (execute, tables) => {
      const free = `held_until <= ${now}`;
      const ids = await this.fitting(execute, tables, { selection, free });
      await this.hold(execute, tables.outbox, { ids, until: `${now} + ${HOLD_MS}` });
      return this.read(execute, tables, ids);
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

  /** Ids of the oldest rows that may be taken: as many as fit by their lengths, one at least. What is in them is not read. */
  private async fitting(
    execute: Execute,
    { outbox }: Tables,
    options: { selection: Selection; free?: string; end?: string },
  ): Promise<TransactionId[]> {
    const { selection, free, end = '' } = options;
    const { where, values } = this.condition(selection);
    const { rows } = await execute(
      `SELECT id, LENGTH(bytes) AS taken FROM ${outbox} WHERE ${where}${free ? ` AND ${free}` : ''}
        ORDER BY id LIMIT ${Math.floor(selection.limit)} ${end}`,
      values,
    );
    const sizes = rows.map(({ taken }) => Number(taken));
    const some = rows.slice(0, howManyFit(sizes, selection.maxBytes));
    return some.map(({ id }) => this.site.dialect.fromId(id));
  }

  private async read(
    execute: Execute,
    { outbox }: Tables,
    ids: readonly TransactionId[],
  ): Promise<OutboxRow[]> {
    if (ids.length === 0) return [];
    const { idPlaceholder } = this.site.dialect;
    const { rows } = await execute(
      `SELECT id, bytes FROM ${outbox} WHERE id IN (${ids.map(() => idPlaceholder).join(', ')}) ORDER BY id`,
      ids.map((id) => this.site.value(id)),
    );
    return this.toRows(rows);
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
