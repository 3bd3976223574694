import type { Codecs } from '../message/codecs.js';
import { ClosedError, InvalidInputError } from '../message/errors.js';
import type { SendOptions } from '../message/message.js';
import { topicProblem } from '../message/names.js';
import { type TopicName, topicOf, validated } from '../message/topic.js';
import type { Clock } from '../runtime/clock.js';
import type { TraceScope } from '../runtime/trace.js';
import { NO_RECEIPT } from './asking-sends.js';
import { encodeMessage, type EncodedMessage, NO_SYSTEM, type Outgoing } from './encode-message.js';
import { type EnlistedMessage, type Enlistment, routed } from './enlistment.js';
import type { ProducerSettings } from './producer-settings.js';
import { checkSendOptions } from './send-options.js';
import type { SubscribedGroups } from './subscribed-groups.js';
import type { TopicDirectory } from './topic-directory.js';

export interface OutgoingMessagesOptions {
  topics: TopicDirectory;
  groups: Pick<SubscribedGroups, 'route'>;
  codecs: Codecs;
  clock: Clock;
  trace: TraceScope;
  settings: ProducerSettings;
}

/** What a sender said becomes a message with its bytes, or is refused; the store is asked for nothing but its topics. */
export class OutgoingMessages {
  private readonly options: OutgoingMessagesOptions;
  private closed = false;

  constructor(options: OutgoingMessagesOptions) {
    this.options = options;
  }

  /** Nothing more is accepted. */
  close(): void {
    this.closed = true;
  }

  /** @throws ClosedError, or InvalidInputError for a topic or options that cannot be meant. */
  check(topic: string, options: SendOptions): void {
    if (this.closed)
      throw new ClosedError(
        `Send to topic "${topic}": the producer is closed. Nothing was stored.`,
      );
    // A topic that was looked up has a name that is one.
    const problem = this.options.topics.cached(topic) ? undefined : topicProblem(topic);
    if (problem) throw new InvalidInputError('Send', [problem]);
    checkSendOptions(topic, options, this.options.clock);
  }

  /** The message of a send; a promise where the schema of its topic has to answer. Fails as `send`. */
  make(name: TopicName, outgoing: Outgoing): EncodedMessage | Promise<EncodedMessage> {
    this.check(outgoing.topic, outgoing.options);
    return this.encodeValid(name, outgoing);
  }

  /** As `make`, of a topic that is known to have no schema. */
  makeAtOnce(outgoing: Outgoing): EncodedMessage {
    this.check(outgoing.topic, outgoing.options);
    return this.encode(outgoing);
  }

  /** As `make`, and nothing of it is kept; a promise, where a schema has to answer, says only whether it would be made. */
  checked(name: TopicName, body: unknown, options: SendOptions): Promise<void> | EncodedMessage {
    const topic = topicOf(name);
    this.check(topic, options);
    const definition = typeof name === 'string' ? this.options.topics.definition(topic) : name;
    const schema = definition?.options.schema;
    const encode = (content: unknown): EncodedMessage =>
      this.encode({ topic, body: content, options, system: NO_SYSTEM });
    if (!schema) return encode(body);
    const check = validated(topic, body, schema).then((valid) => void encode(valid));
    // Whoever finds another problem first does not wait for this one.
    check.catch(() => undefined);
    return check;
  }

  /** As `make`, with the way it will go; whom `mandatory` and `alternateTopic` speak of is asked now. */
  forTransaction(
    name: TopicName,
    body: unknown,
    { options, lookUpTopic }: { options: SendOptions } & Pick<Enlistment, 'lookUpTopic'>,
  ): EnlistedMessage | Promise<EnlistedMessage> {
    const topic = topicOf(name);
    const { topics } = this.options;
    this.check(topic, options);
    if (options.receipt) throw new InvalidInputError(`Send to topic "${topic}"`, [NO_RECEIPT]);
    if (options.mandatory || options.alternateTopic !== undefined)
      return this.forGroups(name, body, { options, lookUpTopic });
    const keep = (message: EncodedMessage): EnlistedMessage | Promise<EnlistedMessage> => {
      const info = topics.cached(topic);
      return info ? routed(message, info) : lookUpTopic(topic).then((is) => routed(message, is));
    };
    const made = this.encodeValid(name, { topic, body, options, system: NO_SYSTEM });
    return made instanceof Promise ? made.then(keep) : keep(made);
  }

  private async forGroups(
    name: TopicName,
    body: unknown,
    how: { options: SendOptions } & Pick<Enlistment, 'lookUpTopic'>,
  ): Promise<EnlistedMessage> {
    const { mandatory: _mandatory, alternateTopic: _alternate, ...options } = how.options;
    const topic = topicOf(name);
    const target = await this.options.groups.route(topic, how.options);
    // What its own topic would refuse is refused, whoever has subscribed.
    if (target !== topic) await this.checked(name, body, options);
    const to = target === topic ? name : target;
    return this.forTransaction(to, body, { ...how, options });
  }

  private encodeValid(
    name: TopicName,
    outgoing: Outgoing,
  ): EncodedMessage | Promise<EncodedMessage> {
    const { topic, body } = outgoing;
    const { topics } = this.options;
    if (typeof name === 'object') topics.define(name);
    const schema = topics.definition(topic)?.options.schema;
    if (!schema) return this.encode(outgoing);
    return validated(topic, body, schema).then((valid) =>
      this.encode({ ...outgoing, body: valid }),
    );
  }

  private encode(message: Outgoing): EncodedMessage {
    return encodeMessage(message, this.options);
  }
}
