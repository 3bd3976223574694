import { newMessageId } from '../message/message-id.js';
import { type Clock, sleep } from '../runtime/clock.js';
import { InDoubtError } from './errors.js';
import type { HalfOwner } from './half-owner.js';
import { LateHalf, type LateHalfTools, type Rest } from './late-half.js';
import type { TransactionId } from '../store/half-message-store.js';
import type { TransactionParticipant, Verdict } from './participant.js';
import type { TransactionFacts } from './transaction-facts.js';
import type { TransactionScope } from './transaction-scope.js';
import { Answer } from './turn-batch.js';
import { UnitOfWork, type UnitOfWorkTools } from './unit-of-work.js';

/** Runs `body` in a transaction, as `TransactionParticipant.run` promises. */
export type Begin = <R>(body: (tx: unknown) => Promise<R>) => Promise<R>;

/** What every transaction of an instance needs. */
export interface DatabaseTransactionTools {
  scope: TransactionScope;
  clock: Clock;
  unit: UnitOfWorkTools;
  half: LateHalfTools;
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

class Facts implements TransactionFacts {
  constructor(
    readonly id: TransactionId,
    readonly owner: HalfOwner,
  ) {}
}

/** One run of the body. A database that repeats runs it again, as another attempt with an id of its own. */
class Attempt<R> {
  readonly facts: TransactionFacts;
  readonly unit: UnitOfWork;
  /** Once the body has ended and sent something. */
  half: LateHalf | undefined;
  /** From here on COMMIT may have been sent. */
  isReady = false;
  value: R | undefined;
  /** Why it must not be sent. */
  refused: unknown;

  constructor(facts: TransactionFacts, unit: UnitOfWork) {
    this.facts = facts;
    this.unit = unit;
  }
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
  private readonly participant: TransactionParticipant;
  private readonly owner: HalfOwner;
  private readonly begin: Begin;
  private readonly tools: DatabaseTransactionTools;

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
    let last: Attempt<R> | undefined;
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
        last = this.attempt<R>(tx);
        return this.runBody(last, body);
      });
      return Promise.resolve(begun).then(ended, failed);
    } catch (error) {
      return failed(error);
    }
  }

  private attempt<R>(tx: unknown): Attempt<R> {
    const { participant, owner, tools } = this;
    const id = mintTransactionId(tools.clock.now());
    const unit = new UnitOfWork({ id, participant: participant.name, tx, tools: tools.unit });
    return new Attempt(new Facts(id, owner), unit);
  }

  /** What `begin` runs: resolves when COMMIT may be sent. No async function, and callbacks where no promise is needed: decision 19. */
  private runBody<R>(attempt: Attempt<R>, body: (tx: unknown) => Promise<R>): Promise<R> {
    const { unit } = attempt;
    const deadline = this.tools.clock.now() + this.tools.half.settings.maxTransactionMs;
    return new Promise((resolve, reject) => {
      const failed = (error: unknown): void => void this.refuse(attempt, error).catch(reject);
      const succeeded = (value: R): void => {
        attempt.value = value;
        attempt.isReady = true;
        unit.discard();
        resolve(value);
      };
      const sealed = (value: R): void => {
        if (unit.isEmpty) return succeeded(value);
        const placed = (rest: Rest | undefined): void => {
          if (rest) rest().then(() => succeeded(value), failed);
          else succeeded(value);
        };
        try {
          attempt.half = this.halfOf(attempt, deadline);
          attempt.half.place(unit.tx, new Answer(placed, failed));
        } catch (error) {
          failed(error);
        }
      };
      const worked = (value: R): void => {
        const pending = unit.seal();
        if (pending) pending.then(() => sealed(value), failed);
        else sealed(value);
      };
      try {
        // Whatever it returns: a body that is no async function may return no promise.
        Promise.resolve(this.work(unit, body)).then(worked, failed);
      } catch (error) {
        failed(error);
      }
    });
  }

  private work<R>(unit: UnitOfWork, body: (tx: unknown) => Promise<R>): Promise<R> {
    const { participant } = this;
    const own = (): Promise<R> => body(unit.tx);
    const work = participant.within ? () => participant.within!(unit.tx, own) : own;
    return this.tools.scope.run(unit, work);
  }

  private halfOf({ facts, unit }: Attempt<unknown>, deadline: number): LateHalf {
    const { participant, tools } = this;
    return new LateHalf({
      facts,
      messages: unit.messages(),
      participant,
      deadline,
      tools: tools.half,
    });
  }

  /** Its body failed, or the messages could not be kept. Rejects with why, once nothing of it runs any more. */
  private async refuse(attempt: Attempt<unknown>, error: unknown): Promise<never> {
    attempt.refused = error;
    const running = attempt.unit.close();
    try {
      if (running) await running;
      throw error;
    } finally {
      attempt.unit.discard();
    }
  }

  private async afterFailure<R>(attempt: Attempt<R> | undefined, error: unknown): Promise<R> {
    const { participant } = this;
    const { onRolledBack, onInDoubt } = this.tools;
    const half = attempt?.half;
    if (!half) throw error;
    if (!attempt.isReady) {
      onRolledBack(half);
      throw error;
    }
    const { facts } = attempt;
    switch (await this.ask(facts.id)) {
      case 'commit':
        this.committed(attempt);
        return attempt.value as R;
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

  private committed<R>(attempt: Attempt<R> | undefined): void {
    if (attempt?.half) this.tools.onCommitted(attempt.half, attempt.facts);
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

export function mintTransactionId(now: number): TransactionId {
  return newMessageId(now);
}
