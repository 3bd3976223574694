import { mintedAt } from '../../../lib/core/message/message-id.js';
import type {
  Resolution,
  TransactionParticipant,
  Verdict,
} from '../../../lib/core/transaction/participant.js';

/** What a database knows of transactions, and what it is asked: no business tables, no rows of messages. */
export class FakeDatabase {
  readonly markers = new Map<string, Resolution>();
  readonly asked: string[][] = [];
  readonly purged: number[] = [];
  id = 'db-1';
  /** A failure of every question. */
  failure: Error | undefined;
  /** Why it says nothing about the transactions that it is asked about. */
  trouble: Error | undefined;
  /** Ids whose marker somebody holds a lock on. */
  readonly locked = new Set<string>();
  private purgedBefore = 0;

  /** The part of a participant that a back-check uses. */
  readonly participant = {
    name: 'default',
    prepare: () => Promise.resolve(),
    identity: async () => this.answered(this.id),
    decide: async (ids: readonly string[], tell: (why: Error) => void) => {
      this.asked.push([...ids]);
      if (this.trouble) {
        tell(this.trouble);
        return new Map(ids.map((id) => [id, 'unknown']));
      }
      return this.answered(new Map(ids.map((id) => [id, this.verdict(id)])));
    },
    purge: async (before: number) => {
      this.purged.push(before);
      this.purgedBefore = Math.max(this.purgedBefore, before);
      const old = [...this.markers.keys()].filter((id) => mintedAt(id) < before);
      for (const id of old) this.markers.delete(id);
      return this.answered(old.length);
    },
    inbox: { purge: async () => this.answered(0) },
  } as unknown as TransactionParticipant;

  private verdict(id: string): Verdict {
    if (this.locked.has(id)) return 'unknown';
    const known = this.markers.get(id);
    if (known) return known;
    if (mintedAt(id) < this.purgedBefore) return 'forgotten';
    this.markers.set(id, 'rollback');
    return 'rollback';
  }

  private answered<T>(answer: T): T {
    if (this.failure) throw this.failure;
    return answer;
  }
}
