import { InvalidOptionsError } from '../core/message/errors.js';
import { mintedAt } from '../core/message/message-id.js';
import { unknownOptions } from '../core/message/options.js';
import { type Clock, sleep, systemClock } from '../core/runtime/clock.js';
import { howManyFit } from '../core/runtime/how-many-fit.js';
import type { TransactionId } from '../core/store/half-message-store.js';
import type {
  InboxTable,
  OutboxTable,
  TransactionParticipant,
  Verdict,
} from '../core/transaction/participant.js';
import { InboxBusyError, MarkerRefusedError } from '../core/transaction/participant-errors.js';
import { MemoryDatabase, MemoryTransaction } from './memory-database.js';

/** What becomes of a COMMIT whose answer is lost. */
export type LostCommit = 'carried-out' | 'not-carried-out';

const LONGEST_LOCK_MS = 2_000;

/**
 * A database that takes part in transactions, in this process: for tests of what is `@Transactional`, without a database.
 *
 * Keeps to the contract of the real ones, also where a test moves a clock that it was not given. `sibling()` is another
 * process on the same data; each can be cut off (`goDown`), and can lose the answer to a COMMIT.
 */
export class MemoryParticipant implements TransactionParticipant<MemoryTransaction> {
  readonly name: string;
  readonly outbox: OutboxTable<MemoryTransaction>;
  readonly inbox: InboxTable<MemoryTransaction>;
  private readonly clock: Clock;
  private readonly database: MemoryDatabase;
  /** By when it began. */
  private readonly own = new Map<MemoryTransaction, number>();
  private down: Error | undefined;
  private lost: LostCommit | undefined;

  constructor(options: { name?: string; clock?: Clock; shared?: MemoryParticipant } = {}) {
    const problems = unknownOptions(options, ['name', 'clock', 'shared']);
    if (problems.length > 0)
      throw new InvalidOptionsError('Options of MemoryParticipant', problems);
    this.name = options.name ?? options.shared?.name ?? 'default';
    this.clock = options.clock ?? options.shared?.clock ?? systemClock;
    this.database = options.shared?.database ?? new MemoryDatabase();
    this.outbox = this.outboxTable();
    this.inbox = this.inboxTable();
  }

  sibling(): MemoryParticipant {
    return new MemoryParticipant({ shared: this });
  }

  /** A committed value. */
  get<T>(key: string): T | undefined {
    return this.database.values.get(key) as T | undefined;
  }

  /** Names of the committed values. */
  keys(): string[] {
    return [...this.database.values.keys()];
  }

  /** Everything is gone, as with a fresh database of the same identity. */
  clear(): void {
    this.database.clear();
  }

  /** Transactions whose messages wait in the outbox. */
  get waiting(): readonly TransactionId[] {
    return [...this.database.outbox.keys()];
  }

  /** What was decided about transactions that sent something. */
  get verdicts(): ReadonlyMap<TransactionId, 'commit' | 'rollback'> {
    return this.database.markers;
  }

  /** From now on every call of this process rejects, and what it had open is rolled back. */
  goDown(error: Error = new Error('the memory database was taken down by a test')): void {
    this.down = error;
    for (const transaction of this.own.keys()) this.database.rollBack(transaction);
    this.own.clear();
  }

  comeUp(): void {
    this.down = undefined;
  }

  /** The next COMMIT of this process is not answered. */
  loseNextCommit(how: LostCommit): void {
    this.lost = how;
  }

  async prepare(): Promise<void> {
    this.enter();
  }

  async identity(): Promise<string> {
    this.enter();
    return this.database.identity;
  }

  async run<R>(body: (tx: MemoryTransaction) => Promise<R>): Promise<R> {
    this.enter();
    const transaction = new MemoryTransaction(this.database);
    this.own.set(transaction, this.clock.now());
    try {
      const result = await body(transaction);
      this.commit(transaction);
      return result;
    } catch (error) {
      if (transaction.isOpen) this.database.rollBack(transaction);
      throw error;
    } finally {
      this.own.delete(transaction);
    }
  }

  async nested<R>(tx: MemoryTransaction, body: (tx: MemoryTransaction) => Promise<R>): Promise<R> {
    this.enter();
    tx.beginSavepoint();
    let how: 'release' | 'undo' = 'undo';
    try {
      const result = await body(tx);
      how = 'release';
      return result;
    } finally {
      if (tx.isOpen) tx.endSavepoint(how);
    }
  }

  async mark(
    tx: MemoryTransaction,
    marker: { id: TransactionId; deadline: number },
  ): Promise<void> {
    this.enter();
    const { id } = marker;
    const refused = (reason: 'decided' | 'too-late' | 'ended'): MarkerRefusedError =>
      new MarkerRefusedError({ participant: this.name, id, reason });
    if (!tx.isOpen) throw refused('ended');
    if (this.database.markers.has(id)) throw refused('decided');
    if (this.isLate(tx, marker)) throw refused('too-late');
    tx.changes.markers.set(id, 'commit');
  }

  async decide(ids: readonly TransactionId[]): Promise<Map<TransactionId, Verdict>> {
    return new Map(ids.map((id) => [id, this.down ? 'unknown' : this.verdict(id)]));
  }

  async purge(before: number, limit: number): Promise<number> {
    this.enter();
    const { markers } = this.database;
    this.database.purgedBefore = Math.max(this.database.purgedBefore, before);
    const old = [...markers.keys()].filter((id) => mintedAt(id) < before).slice(0, limit);
    for (const id of old) markers.delete(id);
    return old.length;
  }

  /**
   * Only when both say so: what time it is (ids are ahead of a clock that was set back), and how long it took (a test may move
   * a clock that is not ours).
   */
  private isLate(
    tx: MemoryTransaction,
    { id, deadline }: { id: string; deadline: number },
  ): boolean {
    const now = this.clock.now();
    const elapsedMs = now - (this.own.get(tx) ?? now);
    return now >= deadline && elapsedMs >= deadline - mintedAt(id);
  }

  private verdict(id: TransactionId): Verdict {
    const { markers, open, purgedBefore } = this.database;
    const known = markers.get(id);
    if (known) return known;
    if ([...open].some((transaction) => transaction.holds('markers', id))) return 'unknown';
    if (mintedAt(id) < purgedBefore) return 'forgotten';
    markers.set(id, 'rollback');
    return 'rollback';
  }

  private commit(transaction: MemoryTransaction): void {
    const { lost } = this;
    this.lost = undefined;
    this.enter();
    if (!transaction.isOpen) throw new Error('The connection was lost before COMMIT was answered');
    if (lost !== 'not-carried-out') this.database.commit(transaction);
    if (lost) throw new Error('The answer to COMMIT was lost');
  }

  private outboxTable(): OutboxTable<MemoryTransaction> {
    const { outbox, locked } = this.database;
    return {
      put: async (tx, { id, bytes }) => {
        this.enter();
        tx.changes.outbox.set(id, bytes);
      },
      drain: async ({ limit, maxBytes, before, after }, publish) => {
        this.enter();
        const found = [...outbox.keys()]
          .filter((id) => !locked.has(id) && mintedAt(id) < before)
          .filter((id) => after === undefined || id > after)
          .sort()
          .slice(0, limit);
        const sizes = found.map((id) => outbox.get(id)!.length);
        const ids = found.slice(0, howManyFit(sizes, maxBytes));
        if (ids.length === 0) return 0;
        for (const id of ids) locked.add(id);
        try {
          for (const id of await publish(ids.map((id) => ({ id, bytes: outbox.get(id)! }))))
            outbox.delete(id);
        } finally {
          for (const id of ids) locked.delete(id);
        }
        return ids.length;
      },
      remove: async (ids) => {
        this.enter();
        for (const id of ids) outbox.delete(id);
      },
    };
  }

  private inboxTable(): InboxTable<MemoryTransaction> {
    const { inbox, open } = this.database;
    return {
      enter: async (tx, { group, key }) => {
        this.enter();
        const entry = JSON.stringify([group, key]);
        const isLocked = (): boolean =>
          [...open].some((other) => other !== tx && other.holds('inbox', entry));
        const until = this.clock.monotonic() + LONGEST_LOCK_MS;
        // Looked at again after each wait, with nothing between the last look and the entry.
        while (isLocked()) await this.whenOneEnds(until, group);
        if (inbox.has(entry) || tx.holds('inbox', entry)) return 'duplicate';
        tx.changes.inbox.set(entry, this.clock.now());
        return 'entered';
      },
      purge: async (before, limit) => {
        this.enter();
        const old = [...inbox].filter(([, at]) => at < before).slice(0, limit);
        for (const [entry] of old) inbox.delete(entry);
        return old.length;
      },
    };
  }

  /** The primary key makes a second transaction wait for the end of the first. */
  private async whenOneEnds(until: number, group: string): Promise<void> {
    const leftMs = until - this.clock.monotonic();
    if (leftMs <= 0) throw new InboxBusyError({ participant: this.name, group });
    const ended = new AbortController();
    const end = this.database.whenOneEnds().then(() => ended.abort());
    await Promise.race([end, sleep(this.clock, leftMs, ended.signal)]);
  }

  private enter(): void {
    if (this.down) throw new Error('The memory database is down', { cause: this.down });
  }
}
