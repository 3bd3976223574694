import { randomUUID } from 'node:crypto';
import type { TransactionId } from '../core/store/half-message-store.js';

/** What a transaction changed and did not commit yet. Undefined: deleted. */
export interface Changes {
  readonly values: Map<string, unknown>;
  readonly markers: Map<TransactionId, 'commit'>;
  readonly outbox: Map<TransactionId, Buffer>;
  /** Entry by when it was made, Unix ms. */
  readonly inbox: Map<string, number>;
}

function noChanges(): Changes {
  return { values: new Map(), markers: new Map(), outbox: new Map(), inbox: new Map() };
}

function mergeChanges(from: Changes, into: Changes): void {
  for (const [key, value] of from.values) into.values.set(key, value);
  for (const [id, marker] of from.markers) into.markers.set(id, marker);
  for (const [id, bytes] of from.outbox) into.outbox.set(id, bytes);
  for (const [entry, at] of from.inbox) into.inbox.set(entry, at);
}

/** One database: what several `MemoryParticipant`s share, as processes share a server. */
export class MemoryDatabase {
  readonly identity = randomUUID();
  readonly values = new Map<string, unknown>();
  readonly markers = new Map<TransactionId, 'commit' | 'rollback'>();
  readonly outbox: Map<TransactionId, Buffer> = new Map();
  readonly inbox = new Map<string, number>();
  /** Rows of the outbox that somebody publishes right now. */
  readonly locked = new Set<TransactionId>();
  readonly open = new Set<MemoryTransaction>();
  purgedBefore = 0;
  private readonly waiting = new Set<() => void>();

  clear(): void {
    for (const table of [this.values, this.markers, this.outbox, this.inbox]) table.clear();
    this.purgedBefore = 0;
  }

  commit(transaction: MemoryTransaction): void {
    const { values, markers, outbox, inbox } = transaction.end();
    for (const [key, value] of values)
      if (value === undefined) this.values.delete(key);
      else this.values.set(key, value);
    for (const [id, marker] of markers) this.markers.set(id, marker);
    for (const [id, bytes] of outbox) this.outbox.set(id, bytes);
    for (const [entry, at] of inbox) this.inbox.set(entry, at);
    this.close(transaction);
  }

  rollBack(transaction: MemoryTransaction): void {
    transaction.end();
    this.close(transaction);
  }

  /** Resolves when one of the transactions that are open now has ended. */
  whenOneEnds(): Promise<void> {
    return new Promise((resolve) => this.waiting.add(resolve));
  }

  private close(transaction: MemoryTransaction): void {
    this.open.delete(transaction);
    for (const wake of this.waiting) wake();
    this.waiting.clear();
  }
}

/** The handle of a transaction: named values, seen by others after its commit. */
export class MemoryTransaction {
  private readonly database: MemoryDatabase;
  /** One for the transaction and one for each savepoint within it. */
  private levels: Changes[] = [noChanges()];
  private ended = false;

  constructor(database: MemoryDatabase) {
    this.database = database;
    database.open.add(this);
  }

  get<T>(key: string): T | undefined {
    for (const { values } of this.levels.toReversed())
      if (values.has(key)) return values.get(key) as T | undefined;
    return this.database.values.get(key) as T | undefined;
  }

  set(key: string, value: unknown): void {
    this.changes.values.set(key, value);
  }

  delete(key: string): void {
    this.changes.values.set(key, undefined);
  }

  /** @internal What the innermost savepoint changes. @throws once the transaction has ended. */
  get changes(): Changes {
    if (this.ended) throw new Error('The memory transaction has ended; nothing was changed.');
    return this.levels.at(-1)!;
  }

  /** @internal */
  get isOpen(): boolean {
    return !this.ended;
  }

  /** @internal */
  holds(what: 'markers' | 'inbox', name: string): boolean {
    return this.levels.some((level) => level[what].has(name));
  }

  /** @internal */
  beginSavepoint(): void {
    this.levels.push(noChanges());
  }

  /** @internal */
  endSavepoint(how: 'release' | 'undo'): void {
    const inner = this.levels.pop()!;
    if (how === 'release') mergeChanges(inner, this.changes);
  }

  /** @internal */
  end(): Changes {
    const whole = noChanges();
    for (const level of this.levels) mergeChanges(level, whole);
    this.levels = [];
    this.ended = true;
    return whole;
  }
}
