import type { Clock } from '../runtime/clock.js';
import type { TransactionId } from '../store/half-message-store.js';
import type { HalfOwner } from './half-owner.js';
import { LateHalf, type LateHalfTools, type Rest } from './late-half.js';
import type { TransactionParticipant } from './participant.js';
import { mintTransactionId, type TransactionFacts } from './transaction-facts.js';
import type { Answer } from './turn-batch.js';
import type { TransactionScope } from './transaction-scope.js';
import { UnitOfWork, type UnitOfWorkTools } from './unit-of-work.js';

class Facts implements TransactionFacts {
  constructor(
    readonly id: TransactionId,
    readonly owner: HalfOwner,
  ) {}
}

/** What every body of an instance needs. */
export interface BodyTools {
  scope: TransactionScope;
  clock: Clock;
  unit: UnitOfWorkTools;
  half: LateHalfTools;
}

/** Whose body it is. */
interface Whole {
  readonly participant: TransactionParticipant;
  readonly owner: HalfOwner;
  readonly tools: BodyTools;
}

/**
 * One run of the body of a transaction. A database that repeats runs it again, as another one with an id of its own.
 *
 * One object for all its steps, since it lives until the store has answered: functions for each would be most of what a transaction
 * leaves behind (decision 19).
 */
export class BodyRun<R> implements Answer<Rest | undefined> {
  readonly facts: TransactionFacts;
  readonly unit: UnitOfWork;
  /** Once the body has ended and sent something. */
  half: LateHalf | undefined;
  /** From here on COMMIT may have been sent. */
  isReady = false;
  value: R | undefined;
  /** Why it must not be sent. */
  refused: unknown;
  private readonly whole: Whole;
  private readonly deadline: number;
  private succeed!: (value: R) => void;
  private fail!: (error: unknown) => void;

  constructor(whole: Whole, tx: unknown) {
    const { participant, owner, tools } = whole;
    const now = tools.clock.now();
    const id = mintTransactionId(now);
    this.whole = whole;
    this.deadline = now + tools.half.settings.maxTransactionMs;
    this.facts = new Facts(id, owner);
    this.unit = new UnitOfWork({ id, participant: participant.name, tx, tools: tools.unit });
  }

  /** Resolves when COMMIT may be sent. Called once. */
  start(body: (tx: unknown) => Promise<R>): Promise<R> {
    return new Promise((resolve, reject) => {
      this.succeed = resolve;
      this.fail = reject;
      try {
        // Whatever it returns: a body that is no async function may return no promise.
        Promise.resolve(this.work(body)).then(
          (value) => this.worked(value),
          (error: unknown) => this.reject(error),
        );
      } catch (error) {
        this.reject(error);
      }
    });
  }

  /** The messages are placed, but for what is left to do before COMMIT. */
  resolve(rest: Rest | undefined): void {
    if (rest) this.afterwards(rest());
    else this.ready();
  }

  /** Its body failed, or the messages could not be kept. Nothing of it runs any more once it is told why. */
  reject(error: unknown): void {
    this.refused = error;
    const { unit } = this;
    const running = unit.close();
    const over = (why: unknown): void => {
      unit.discard();
      this.fail(why);
    };
    if (running) running.then(() => over(error), over);
    else over(error);
  }

  private work(body: (tx: unknown) => Promise<R>): Promise<R> {
    const { unit } = this;
    const { participant, tools } = this.whole;
    const own = (): Promise<R> => body(unit.tx);
    const work = participant.within ? () => participant.within!(unit.tx, own) : own;
    return tools.scope.run(unit, work);
  }

  private worked(value: R): void {
    this.value = value;
    const pending = this.unit.seal();
    if (pending)
      pending.then(
        () => this.place(),
        (error: unknown) => this.reject(error),
      );
    else this.place();
  }

  private place(): void {
    const { unit, facts, deadline } = this;
    if (unit.isEmpty) return this.ready();
    const { participant, tools } = this.whole;
    try {
      const messages = unit.messages();
      this.half = new LateHalf({ facts, messages, participant, deadline, tools: tools.half });
      this.half.place(unit.tx, this);
    } catch (error) {
      this.reject(error);
    }
  }

  private afterwards(rest: Promise<void>): void {
    rest.then(
      () => this.ready(),
      (error: unknown) => this.reject(error),
    );
  }

  private ready(): void {
    this.isReady = true;
    this.unit.discard();
    this.succeed(this.value as R);
  }
}
