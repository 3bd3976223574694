import type { MessageFilter } from '../../filter/message-filter.js';
import { isTopicPattern } from '../../filter/topic-pattern.js';
import { InvalidInputError } from '../../message/errors.js';
import { groupProblem, topicProblem } from '../../message/names.js';
import {
  describeValue,
  given,
  integerProblem,
  isOptions,
  notOptions,
  unknownOptions,
} from '../../message/options.js';
import type { StandardSchema } from '../../message/topic.js';
import type { Clock } from '../../runtime/clock.js';
import type { Events } from '../../runtime/events.js';
import { type DeliveryStore, type Settlement, WAITING } from '../../store/delivery-store.js';
import type { DeadLetterNote } from '../history.js';
import { reasonOf } from '../outcome.js';
import { type Subscription, subscription } from '../subscription.js';
import type { Puller, ReceivedMessage } from './puller.js';
import { type Receipt, ReceiptExpiredError, readReceipt } from './receipt.js';

export interface ReceiveOptions {
  topic: string;
  group: string;
  /** Most messages, up to 1 000. Default 32. */
  max?: number | undefined;
  /**
   * Most bytes of all of them, headers and bodies: fewer come when they are large, and one always. Default: the option
   * `consumer.maxInHandBytes` (64 MiB).
   */
  maxBytes?: number | undefined;
  /** How long to wait for the first message, in milliseconds, up to 60 000. Default 5 000. */
  waitMs?: number | undefined;
  /**
   * How long a message stays hidden from others, in milliseconds, up to 12 h. Default 60 000. What is not settled by then
   * comes back; the attempt counts.
   */
  invisibleDurationMs?: number | undefined;
  /**
   * Which messages are wanted, as `filter` of a subscription: others count as settled. Each call for one topic and group in a
   * process must say the same, and so must the members of the group.
   */
  filter?: MessageFilter | undefined;
  /** What does not match becomes a dead letter, as with a handler. */
  schema?: StandardSchema | undefined;
}

export interface PullsOptions {
  member: string;
  deliveries: DeliveryStore;
  clock: Clock;
  events: Events;
  /** Of a call that says nothing else. */
  maxBytes: number;
  /** One that has joined its group. */
  open(made: Subscription): Promise<Puller>;
}

const DEFAULTS = { max: 32, waitMs: 5_000, invisibleDurationMs: 60_000 };
const KNOWN = ['topic', 'group', 'filter', 'schema', 'maxBytes', ...Object.keys(DEFAULTS)];
const LONGEST_MS = 12 * 3_600_000;

/** Messages taken by hand: received, and settled with their receipts. */
export class Pulls {
  private readonly options: PullsOptions;
  private readonly pullers = new Map<string, { filter: string; opening: Promise<Puller> }>();

  constructor(options: PullsOptions) {
    this.options = options;
  }

  /** @throws InvalidInputError, TopicNotFoundError; what the store throws, then the call can be repeated. */
  async receive(options: ReceiveOptions): Promise<ReceivedMessage[]> {
    if (!isOptions(options)) check('Receive', [notOptions('options', options)]);
    const { topic, group, filter } = options;
    const call = { ...DEFAULTS, maxBytes: this.options.maxBytes, ...given(options) };
    check(`Receive from topic "${String(topic)}"`, [
      ...unknownOptions(options, KNOWN),
      isTopicPattern(topic)
        ? `one call receives from one topic: subscribe to "${topic}" with a handler, or receive from each topic`
        : topicProblem(topic),
      groupProblem(group),
      integerProblem('max', call.max, { min: 1, max: 1_000 }),
      integerProblem('maxBytes', call.maxBytes, { min: 1 }),
      integerProblem('waitMs', call.waitMs, { min: 0, max: 60_000 }),
      integerProblem('invisibleDurationMs', call.invisibleDurationMs, { min: 1, max: LONGEST_MS }),
    ]);
    const puller = await this.puller({ topic, group, ...(filter && { filter }) });
    return puller.receive(call);
  }

  /** It is done. @throws ReceiptExpiredError */
  async ack(receipt: string): Promise<void> {
    const read = readReceipt(receipt);
    await this.settle(read, { kind: 'ack' });
    this.options.events.emit('acked', factsOf(read));
  }

  /** It stays hidden for so long from now; 0 gives it back at once. @throws ReceiptExpiredError */
  async changeInvisibleDuration(receipt: string, invisibleDurationMs: number): Promise<void> {
    const read = readReceipt(receipt);
    check('changeInvisibleDuration', [
      integerProblem('invisibleDurationMs', invisibleDurationMs, { min: 0, max: LONGEST_MS }),
    ]);
    await this.settle(read, { kind: 'retry', delayMs: invisibleDurationMs, history: '' });
  }

  /** No attempt will succeed: it becomes a dead letter. @throws ReceiptExpiredError */
  async reject(receipt: string, why: string): Promise<void> {
    const { clock, member, events } = this.options;
    const read = readReceipt(receipt);
    check('Reject', [
      typeof why === 'string' && why !== ''
        ? undefined
        : `the reason must be a text, which the dead letter keeps, got: ${describeValue(why)}`,
    ]);
    const reason = reasonOf(why);
    const note: DeadLetterNote = {
      reason,
      error: undefined,
      attempts: read.attempt,
      at: clock.now(),
      consumer: member,
      history: [],
    };
    await this.settle(read, { kind: 'dead-letter', note: JSON.stringify(note) });
    events.emit('dead-lettered', { ...factsOf(read), reason, error: undefined });
  }

  private async settle(receipt: Receipt, settlement: Settlement): Promise<void> {
    const { offset, deliveryCount } = receipt;
    const items = [{ offset, deliveryCount, settlement }];
    const [reply] = await this.options.deliveries.settle(receipt, WAITING, items);
    if (reply !== 'settled') throw new ReceiptExpiredError(receipt);
  }

  private puller(wanted: Pick<ReceiveOptions, 'topic' | 'group' | 'filter'>): Promise<Puller> {
    const { topic, group } = wanted;
    const name = `${topic} ${group}`;
    const filter = wanted.filter?.digest ?? '';
    const origin = `receive({ topic: "${topic}", group: "${group}" })`;
    const found = this.pullers.get(name);
    if (found && found.filter !== filter)
      throw new InvalidInputError(origin, [
        `filter is ${describeFilter(filter)}, another call of this process for the same topic and group said ${describeFilter(found.filter)}: what one wants the other would settle; use another group`,
      ]);
    if (found) return found.opening;
    // Throws before it is noted when the filter is none.
    const made = subscription({ ...wanted, origin, handler: () => undefined });
    const opening = this.options.open(made);
    this.pullers.set(name, { filter, opening });
    // The next call tries again.
    opening.catch(() => this.pullers.delete(name));
    return opening;
  }
}

function describeFilter(digest: string): string {
  return digest === '' ? 'none' : JSON.stringify(digest);
}

function factsOf({ topic, queue, group, messageId, offset, attempt }: Receipt) {
  return { topic, queue, group, messageId, key: undefined, offset, attempt };
}

function check(where: string, found: readonly (string | undefined)[]): void {
  const problems = found.filter((problem) => problem !== undefined);
  if (problems.length > 0) throw new InvalidInputError(where, problems);
}
