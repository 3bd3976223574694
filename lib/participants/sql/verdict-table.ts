import { firstIdAt, mintedAt } from '../../core/message/message-id.js';
import type { TransactionId, Verdict } from '../../core/transaction/participant.js';
import {
  type MarkerRefusal,
  MarkerRefusedError,
} from '../../core/transaction/participant-errors.js';
import { decideInTime } from '../common/decide-in-time.js';
import type { Execute, Tables } from './dialect.js';
import type { Site } from './site.js';

/** All ids that are asked about at once share it: a stalled transaction holds its row, and many may have stalled. */
const LOCK_WAIT_MS = 500;
const SHORTEST_LOCK_WAIT_MS = 20;
/** Two checkers of one id may deadlock (InnoDB): the one that is chosen to fail finds the verdict the next time. */
const TRIES = 3;
const MOST_IDS_IN_A_STATEMENT = 500;

const RESOLUTIONS: Record<string, Verdict> = { C: 'commit', R: 'rollback' };

/** The table `rivulet_tx`: at most one row for an id, written once, by the transaction ('C') or by a checker ('R'). */
export class VerdictTable<Tx> {
  constructor(private readonly site: Site<Tx>) {}

  async mark(tx: Tx, marker: { id: TransactionId; deadline: number }): Promise<void> {
    const { dialect } = this.site;
    const tables = await this.site.tables();
    const execute = this.site.within(tx);
    const refused = (reason: MarkerRefusal, cause?: unknown): MarkerRefusedError =>
      new MarkerRefusedError(
        { participant: this.site.participant, id: marker.id, reason },
        { cause },
      );
    try {
      if (dialect.guard) await execute(dialect.guard.check);
      const { affected } = await execute(
        `INSERT INTO ${tables.tx} (id, v) SELECT ${dialect.idPlaceholder}, 'C'${dialect.fromNothing}
          WHERE ${dialect.now} < ?`,
        [this.site.value(marker.id), Math.floor(marker.deadline)],
      );
      if (affected === 1) return;
    } catch (error) {
      const fault = dialect.faultOf(error);
      if (fault === 'duplicate') throw refused('decided', error);
      if (fault === 'ended') throw refused('ended', error);
      throw error;
    }
    throw refused('too-late');
  }

  decide(
    ids: readonly TransactionId[],
    tell?: (why: Error) => void,
  ): Promise<Map<TransactionId, Verdict>> {
    return decideInTime({ ids, tell, ask: (some, verdicts) => this.ask(some, verdicts) });
  }

  /** Nobody may decide them afterwards: only then are they deleted. */
  async purge(before: number, limit: number): Promise<number> {
    await this.site.alone((execute, { meta }) =>
      execute(this.site.dialect.raiseMeta(meta), ['purged_before', timeText(before)]),
    );
    return this.site.alone(async (execute, { tx }) => {
      const where = `id < ${this.site.dialect.idPlaceholder}`;
      const sql = this.site.dialect.deleteSome({ from: tx, where, limit: Math.floor(limit) });
      return (await execute(sql, [this.site.value(firstIdAt(before))])).affected;
    });
  }

  private async ask(ids: TransactionId[], verdicts: Map<TransactionId, Verdict>): Promise<void> {
    for (let i = 0; i < ids.length; i += MOST_IDS_IN_A_STATEMENT) {
      const some = ids.slice(i, i + MOST_IDS_IN_A_STATEMENT);
      const found = await this.site.alone((execute, tables) => this.read(execute, tables, some));
      for (const [id, verdict] of found) verdicts.set(id, verdict);
    }
    const open = ids.filter((id) => verdicts.get(id) === 'unknown');
    const lockWaitMs = Math.max(SHORTEST_LOCK_WAIT_MS, Math.floor(LOCK_WAIT_MS / open.length));
    for (const id of open) verdicts.set(id, await this.decideAgainst(id, lockWaitMs));
  }

  /** A row that is visible is final. */
  private async read(
    execute: Execute,
    { tx }: Tables,
    ids: readonly TransactionId[],
  ): Promise<Map<TransactionId, Verdict>> {
    const { dialect } = this.site;
    const { rows } = await execute(
      `SELECT id, ${dialect.verdictColumn} FROM ${tx}
        WHERE id IN (${ids.map(() => dialect.idPlaceholder).join(', ')})`,
      ids.map((id) => this.site.value(id)),
    );
    return new Map(rows.map(({ id, v }) => [dialect.fromId(id), RESOLUTIONS[String(v)]!]));
  }

  private async decideAgainst(id: TransactionId, lockWaitMs: number): Promise<Verdict> {
    for (let attempt = 1; attempt <= TRIES; attempt++) {
      const verdict = await this.insertThenRead(id, lockWaitMs).catch((error: unknown) => {
        const fault = this.site.dialect.faultOf(error);
        if (fault === 'locked') return 'unknown' as const;
        if (fault !== 'collided') throw error;
        return undefined;
      });
      if (verdict) return verdict;
    }
    return 'unknown';
  }

  private insertThenRead(id: TransactionId, lockWaitMs: number): Promise<Verdict> {
    return this.site.alone(async (execute, tables) => {
      const beganAt = timeText(mintedAt(id));
      await this.site.dialect.insertRollback(execute, {
        tables,
        id: this.site.value(id),
        beganAt,
        lockWaitMs,
      });
      // A statement of its own: the insert may have waited for a row that its snapshot does not show.
      const verdict = (await this.read(execute, tables, [id])).get(id);
      if (verdict) return verdict;
      const { rows } = await execute(
        `SELECT value FROM ${tables.meta} WHERE name = 'purged_before'`,
      );
      return rows.some(({ value }) => String(value) > beganAt) ? 'forgotten' : 'unknown';
    });
  }
}

/** Unix ms as text of one length, so that it compares as text. */
const timeText = (ms: number): string => String(Math.max(0, Math.floor(ms))).padStart(15, '0');
