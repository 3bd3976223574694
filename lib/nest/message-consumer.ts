import type { ReceivedMessage } from '../core/consumer/pull/puller.js';
import type { ReceiveOptions as CoreReceiveOptions } from '../core/consumer/pull/pulls.js';
import { InvalidInputError } from '../core/message/errors.js';
import { isOptions, notOptions } from '../core/message/options.js';
import { topicArgumentProblem, type TopicName, topicOf } from '../core/message/topic.js';
import type { Rivulet } from '../core/rivulet.js';

export interface ReceiveOptions extends Omit<CoreReceiveOptions, 'topic' | 'group' | 'schema'> {
  topic: TopicName;
  /** Default: the module's `group`. */
  group?: string | undefined;
}

/** Takes messages by hand, for jobs and scripts, as RocketMQ's SimpleConsumer; pauses and resumes handlers. Inject it anywhere. */
export class MessageConsumer {
  private readonly rivulet: Rivulet;
  private readonly group: string | undefined;

  constructor(options: { rivulet: Rivulet; group: string | undefined }) {
    this.rivulet = options.rivulet;
    this.group = options.group;
  }

  /**
   * At most `max` messages, each in nobody else's hands for `invisibleDurationMs`; waits up to `waitMs` for the first.
   * What is not settled by then comes back, and the attempt counts; after 16 attempts it becomes a dead letter. The group
   * may have handlers elsewhere; a handler of this process for the same topic and group is refused.
   *
   * Each call that waits at the same time holds a connection. Safe to repeat: what a lost reply held comes back.
   *
   * @throws TopicNotFoundError for a topic that nobody has made or defined; InvalidInputError, DuplicateSubscriptionError,
   *   StoreUnavailableError, ClosedError while the process stops.
   */
  async receive(options: ReceiveOptions): Promise<ReceivedMessage[]> {
    refuseUnless('Receive', options);
    const group = this.groupOf(options.group);
    const { topic } = options;
    if (typeof topic !== 'string') this.rivulet.topics.define(topic);
    const schema = typeof topic === 'string' ? undefined : topic.options.schema;
    const known = schema && { schema };
    return this.rivulet.pulls.receive({ ...options, ...known, topic: topicOf(topic), group });
  }

  /**
   * The message is done.
   *
   * @throws ReceiptExpiredError when it was settled already, or has been handed out again since. Nothing changed.
   */
  ack(receipt: string): Promise<void> {
    return this.rivulet.pulls.ack(receipt);
  }

  /**
   * The message stays hidden for so long from now, 12 h at most; with 0 it is given back at once. The receipt stays
   * valid. @throws ReceiptExpiredError as `ack` does.
   */
  changeInvisibleDuration(receipt: string, invisibleDurationMs: number): Promise<void> {
    return this.rivulet.pulls.changeInvisibleDuration(receipt, invisibleDurationMs);
  }

  /**
   * Start no handler of the topic (or pattern) in the group, in this process, until `resume`; those that run go on, and
   * other processes take what comes. Safe to repeat.
   *
   * @throws InvalidInputError when this process has no such handler.
   */
  pause(handlers: { topic: TopicName; group?: string }): void {
    refuseUnless('Pause', handlers);
    this.rivulet.pause(topicOf(handlers.topic), this.groupOf(handlers.group));
  }

  /** Safe to repeat. @throws InvalidInputError as `pause` does. */
  resume(handlers: { topic: TopicName; group?: string }): void {
    refuseUnless('Resume', handlers);
    this.rivulet.resume(topicOf(handlers.topic), this.groupOf(handlers.group));
  }

  /** No attempt will succeed: it becomes a dead letter. @throws ReceiptExpiredError as `ack` does. */
  reject(receipt: string, why: string): Promise<void> {
    return this.rivulet.pulls.reject(receipt, why);
  }

  private groupOf(group = this.group): string {
    if (group !== undefined) return group;
    throw new InvalidInputError('MessageConsumer', [
      'no consumer group; give { group }, or set the group of RivuletModule',
    ]);
  }
}

/** What is wanted must be said, and about which topic. */
function refuseUnless(where: string, options: { topic: TopicName }): void {
  const problem = isOptions(options)
    ? topicArgumentProblem(options.topic)
    : notOptions('options', options);
  if (problem !== undefined) throw new InvalidInputError(where, [problem]);
}
