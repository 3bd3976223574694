import { describeError } from '../consumer/outcome.js';
import type { Codecs } from '../message/codecs.js';
import { InvalidOptionsError } from '../message/errors.js';
import type { MessageView } from '../message/message.js';
import { suggestion } from '../message/options.js';
import { withoutPeriod } from '../message/sentence.js';
import { decodeMessage } from '../message/wire-format.js';
import { type Clock, sleep } from '../runtime/clock.js';
import type { Logger } from '../runtime/logger.js';
import type { QueueRef } from '../store/refs.js';
import type { TransactionId } from '../store/half-message-store.js';
import type { Resolution } from './participant.js';

/** A half message as the one who is asked about it sees it. */
export interface HalfMessage extends Omit<MessageView, 'offset'> {
  readonly transactionId: TransactionId;
  /** The decoded body. */
  readonly body: unknown;
}

/**
 * Says what became of a transaction: "commit", "rollback" or "unknown". Anything else, an error and no answer in time
 * count as "unknown". May be asked several times, also while the transaction still runs in another process.
 */
export type CheckMethod = (message: HalfMessage) => unknown;

export interface CheckMethodsOptions {
  codecs: Codecs;
  clock: Clock;
  logger: Logger;
}

const LONGEST_ANSWER_MS = 30_000;

/** Who answers for transactions without a database, by the transaction's name. */
export class CheckMethods {
  private readonly options: CheckMethodsOptions;
  private readonly methods = new Map<string, { method: CheckMethod; origin: string }>();

  constructor(options: CheckMethodsOptions) {
    this.options = options;
  }

  get names(): string[] {
    return [...this.methods.keys()];
  }

  /**
   * @param origin where the method was declared, for errors.
   * @throws InvalidOptionsError when the name is taken. Returns the function that ends it.
   */
  answer(name: string, method: CheckMethod, origin: string): () => void {
    const other = this.methods.get(name);
    if (other)
      throw new InvalidOptionsError(`Check of transaction "${name}"`, [
        `both ${other.origin} and ${origin} answer for it; which of them is asked would be a matter of luck. Keep one`,
      ]);
    this.methods.set(name, { method, origin });
    return () => this.methods.delete(name);
  }

  /** @throws InvalidOptionsError when nobody here could say what became of such a transaction. */
  require(name: string): void {
    if (this.methods.has(name)) return;
    throw new InvalidOptionsError(`Transaction "${name}"`, [
      `nobody could say what became of it when this process dies: give a method @TransactionCheck('${name}')${this.names.length > 0 ? suggestion(name, this.names) : ''}`,
    ]);
  }

  /** Never rejects. */
  async ask(
    name: string,
    half: QueueRef & { id: TransactionId; frame: Buffer },
  ): Promise<Resolution> {
    const { codecs, clock, logger } = this.options;
    const answered = new AbortController();
    try {
      const known = this.methods.get(name);
      if (!known) return 'unknown';
      const { offset: _, ...view } = decodeMessage({ ...half, offset: '' }, half.frame);
      const body = codecs.bodyOf(view);
      const late = sleep(clock, LONGEST_ANSWER_MS, answered.signal).then(() => undefined);
      const message = { ...view, body, transactionId: half.id };
      const answer = await Promise.race([Promise.resolve(known.method(message)), late]);
      if (answer === 'commit' || answer === 'rollback' || answer === 'unknown') return answer;
      logger.warn(
        `The check of transaction "${name}" answered neither "commit" nor "rollback" nor "unknown" about message ${view.messageId}; that counts as "unknown".`,
      );
    } catch (error) {
      logger.warn(
        `The check of transaction "${name}" (${half.id}, topic ${half.topic}) failed: ${withoutPeriod(describeError(error))}. That counts as "unknown"; it is asked again.`,
      );
    } finally {
      answered.abort();
    }
    return 'unknown';
  }
}
