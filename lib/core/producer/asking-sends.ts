import { InvalidInputError } from '../message/errors.js';
import type { SendOptions, SendResult } from '../message/message.js';
import { type TopicName, topicOf } from '../message/topic.js';
import type { Clock } from '../runtime/clock.js';
import type { SystemHeader } from './encode-message.js';
import { knownInTime } from './known-in-time.js';
import type { Receipts } from './receipts.js';
import type { SubscribedGroups } from './subscribed-groups.js';
import type { WaitingSends } from './waiting-sends.js';

export const NO_RECEIPT =
  'receipt cannot be waited for in a transaction, or in a set: nobody gets the message before that has ended; leave it out, or send it at once with transaction: false';

export interface AskingSendsOptions {
  groups: Pick<SubscribedGroups, 'route'>;
  receipts: Pick<Receipts, 'open' | 'collect'>;
  clock: Clock;
  /** Aborted when nothing more is accepted. */
  closing: AbortSignal;
  /** Sends count there until the question is answered. */
  waiting: WaitingSends;
  /** Of a send that says nothing else. */
  timeoutMs: number;
  /** Whether the code that runs now is in a transaction. */
  isEnlisted(): boolean;
  /** @throws what a send must fail with. */
  check(topic: string, options: SendOptions): void;
  validate(name: TopicName, body: unknown, options: SendOptions): Promise<void> | void;
  /** Once the question is answered: a send like any other. */
  send(
    name: TopicName,
    body: unknown,
    options: SendOptions,
    system: SystemHeader,
  ): Promise<SendResult>;
}

/** Whether a send must ask the store something before there is a message. */
export function asksFirst({ receipt, mandatory, alternateTopic }: SendOptions): boolean {
  return receipt !== undefined || Boolean(mandatory) || alternateTopic !== undefined;
}

/** Sends that ask the store something first, within their time: where receipts go, or who has subscribed. */
export class AskingSends {
  private readonly options: AskingSendsOptions;

  constructor(options: AskingSendsOptions) {
    this.options = options;
  }

  send(
    name: TopicName,
    body: unknown,
    options: SendOptions,
    system: SystemHeader,
  ): Promise<SendResult> {
    return options.receipt === undefined
      ? this.sendRouted(name, body, options, system)
      : this.sendForReceipt(name, body, options, system);
  }

  private async sendForReceipt(
    name: TopicName,
    body: unknown,
    { receipt, ...options }: SendOptions,
    system: SystemHeader,
  ): Promise<SendResult> {
    const { receipts, check, isEnlisted, send } = this.options;
    const topic = topicOf(name);
    check(topic, { ...options, receipt: receipt! });
    if (system.replyTo !== undefined)
      throw new InvalidInputError(`Send to topic "${topic}"`, [
        'receipt has no place in a request: its answer says what became of it; leave it out',
      ]);
    if (options.transaction !== false && isEnlisted())
      throw new InvalidInputError(`Send to topic "${topic}"`, [NO_RECEIPT]);
    const { leftMs: timeoutMs } = await this.knownInTime(topic, options, {
      what: 'where receipts go',
      lookUp: () => receipts.open(),
    });
    // It may have to ask who has subscribed, too.
    return receipts.collect(receipt!, (receiptTo) =>
      send(name, body, { ...options, timeoutMs }, { ...system, receiptTo }),
    );
  }

  private async sendRouted(
    name: TopicName,
    body: unknown,
    options: SendOptions,
    system: SystemHeader,
  ): Promise<SendResult> {
    const { groups, check, validate, send } = this.options;
    const topic = topicOf(name);
    check(topic, options);
    const { mandatory: _mandatory, alternateTopic: _alternate, ...others } = options;
    const { known: target, leftMs: timeoutMs } = await this.knownInTime(topic, options, {
      what: 'who has subscribed',
      lookUp: () => groups.route(topic, options),
    });
    const rest = { ...others, timeoutMs };
    if (target === topic) return send(name, body, rest, system);
    // What its own topic would refuse is refused, whoever has subscribed.
    await validate(name, body, rest);
    return send(target, body, rest, system);
  }

  private knownInTime<T>(
    topic: string,
    { timeoutMs = this.options.timeoutMs }: SendOptions,
    question: { what: string; lookUp(): Promise<T> },
  ): Promise<{ known: T; leftMs: number }> {
    const { clock, closing, waiting } = this.options;
    return knownInTime({ topic, timeoutMs, clock, closing, waiting, ...question });
  }
}
