import { sleep } from '../runtime/clock.js';
import { BodyRun, type BodyTools } from './body-run.js';
import { InDoubtError } from './errors.js';
import type { HalfOwner } from './half-owner.js';
import type { LateHalf } from './late-half.js';
import type { TransactionId } from '../store/half-message-store.js';
import type { TransactionParticipant, Verdict } from './participant.js';
import type { TransactionFacts } from './transaction-facts.js';

/** Runs `body` in a transaction, as `TransactionParticipant.run` promises. */
export type Begin = <R>(body: (tx: unknown) => Promise<R>) => Promise<R>;

/** What every transaction of an instance needs. */
export interface DatabaseTransactionTools extends BodyTools {
  /** The database committed: the messages are to be delivered. */
  onCommitted(half: LateHalf, facts: TransactionFacts): void;
  /** COMMIT was never sent, or the database decided against it. */
  onRolledBack(half: LateHalf): void;
  onInDoubt(facts: TransactionFacts, error: Error): void;
  /** Whoever began it is told how it ended right after. */
  onEnded(): void;
}

export interface DatabaseTransactionOptions {
  participant: TransactionParticipant;
  owner: HalfOwner;
  begin: Begin;
  tools: DatabaseTransactionTools;
}

/** Between two questions about a COMMIT that was not answered: its connection may have to be given up first. */
const ASK_AGAIN_MS = [0, 100, 400];
const LONGEST_ASKED_MS = 5_000;

/**
 * A database transaction and the messages sent in it: both or neither.
 *
 * The body only collects. After it the marker row and the half messages are stored at the same time, then comes COMMIT,
 * and then nothing can fail any more: whoever finds a half message asks the marker.
 */
export class DatabaseTransaction {
  readonly participant: TransactionParticipant;
  readonly owner: HalfOwner;
  readonly tools: DatabaseTransactionTools;
  private readonly begin: Begin;

  constructor(options: DatabaseTransactionOptions) {
    this.participant = options.participant;
    this.owner = options.owner;
    this.begin = options.begin;
    this.tools = options.tools;
  }

  /**
   * Resolves when the database has committed.
   *
   * @throws what the body threw, unchanged; what kept the messages from being stored; `InDoubtError` when nobody knows
   *   whether COMMIT was carried out.
   */
  run<R>(body: (tx: unknown) => Promise<R>): Promise<R> {
    let last: BodyRun<R> | undefined;
    const failed = (error: unknown): Promise<R> =>
      this.afterFailure(last, error).finally(this.tools.onEnded);
    const ended = (result: R): R | Promise<R> => {
      try {
        // Somebody between the body and us swallowed why it may not be committed.
        if (last && !last.isReady) throw last.refused;
        this.committed(last);
      } catch (error) {
        return failed(error);
      }
      this.tools.onEnded();
      return result;
    };
    // Not an async function, as little as can be that each transaction goes through: decision 19.
    try {
      const begun = this.begin<R>((tx) => {
        last = new BodyRun<R>(this, tx);
        return last.start(body);
      });
      return Promise.resolve(begun).then(ended, failed);
    } catch (error) {
      return failed(error);
    }
  }

  private async afterFailure<R>(last: BodyRun<R> | undefined, error: unknown): Promise<R> {
    const { participant } = this;
    const { onRolledBack, onInDoubt } = this.tools;
    const half = last?.half;
    if (!half) throw error;
    if (!last.isReady) {
      onRolledBack(half);
      throw error;
    }
    const { facts } = last;
    switch (await this.ask(facts.id)) {
      case 'commit':
        this.committed(last);
        return last.value as R;
      case 'rollback':
        onRolledBack(half);
        throw error;
      default: {
        onInDoubt(facts, error as Error);
        const about = { transactionId: facts.id, participant: participant.name };
        throw new InDoubtError(about, { cause: error });
      }
    }
  }

  private committed<R>(last: BodyRun<R> | undefined): void {
    if (last?.half) this.tools.onCommitted(last.half, last.facts);
  }

  /** On another connection: what became of a COMMIT that was not answered. */
  private async ask(id: TransactionId): Promise<'commit' | 'rollback' | undefined> {
    const { participant, tools } = this;
    const { clock } = tools;
    const since = clock.monotonic();
    for (const pauseMs of ASK_AGAIN_MS) {
      if (pauseMs > 0) await sleep(clock, pauseMs);
      const verdicts = await participant.decide([id]).catch(() => new Map<string, Verdict>()); // asked again
      const verdict = verdicts.get(id);
      if (verdict === 'commit' || verdict === 'rollback') return verdict;
      if (clock.monotonic() - since > LONGEST_ASKED_MS) break;
    }
    return undefined;
  }
}
