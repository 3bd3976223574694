import type { Events } from '../runtime/events.js';
import type { Logger } from '../runtime/logger.js';
import { queuesOf, type QueueRef } from '../store/refs.js';
import type { Stores } from '../store/stores.js';
import type { ConsumeMode, JoinReply } from '../store/topic-registry.js';
import { groupConflict } from './group-conflict.js';
import type { Subscription } from './subscription.js';

/** `generation`: grows when the queues change, and with each life of the topic. */
export interface TopicLife {
  queues: number;
  generation: number;
}

/** Topics of one subscription: as known, and as it is now, made anew if it is gone and that is allowed. */
export interface TopicLookup {
  get(): Promise<TopicLife>;
  refresh(): Promise<TopicLife>;
}

export interface GroupRegistrationOptions {
  subscription: Subscription;
  mode: ConsumeMode;
  /** The member that reads; the store lists it before it was given anything. Left out where it has another list of them. */
  reader?: string;
  topic: TopicLookup;
  stores: Stores;
  events: Events;
  logger: Logger;
}

/** Makes the group of a subscription known, and tells when it had been lost. */
export class GroupRegistration {
  private readonly options: GroupRegistrationOptions;
  /** Of the topic that the group is known to have been in. */
  private generation: number | undefined;

  constructor(options: GroupRegistrationOptions) {
    this.options = options;
  }

  /** The group exists in every queue when this resolves. @throws InvalidOptionsError when other members differ. */
  async join(): Promise<{ queues: number }> {
    const info = await this.options.topic.get();
    this.alarm((await this.register(info)).recreated);
    await this.enroll(info);
    return info;
  }

  /**
   * The group is gone in some queue, or the topic is, or it has more queues than those of `known`, where the group had been: bring
   * it back, and to all. A group that began at the end begins at the first message where the store forgot it: what was sent since
   * must not be skipped.
   */
  async joinAgain(known: readonly QueueRef[]): Promise<{ queues: number }> {
    const info = await this.options.topic.refresh();
    const wasIn = this.generation;
    const { from } = this.options.subscription;
    const { created, recreated } = await this.register(info, from === 'latest' ? 'earliest' : from);
    // Where the store lost everything, it does not know either that the group had been there.
    const lost = created ? known : recreated;
    if (lost.length > 0 && (await this.wasDeleted(wasIn))) this.tellOfDeletion();
    else this.alarm(lost);
    await this.enroll(info);
    return info;
  }

  private async register(
    { generation }: TopicLife,
    from = this.options.subscription.from,
  ): Promise<JoinReply & { state: 'joined' }> {
    const { stores, mode, subscription } = this.options;
    const { topic, group, origin, filter, allowFilterChange, ordered } = subscription;
    const wanted = { group, mode, filterDigest: filter?.digest ?? '', orderedBy: ordered?.by };
    const reply = await stores.topics.joinGroup(topic, { ...wanted, from, allowFilterChange });
    if (reply.state === 'conflict')
      throw groupConflict({ origin, topic }, wanted, reply.registered);
    this.generation = generation;
    return reply;
  }

  /**
   * Redis 7.0 lists who has read something: whoever waits for the first message would be missed by an operator. Comes after the
   * alarm, which nobody would raise again if this failed.
   */
  private async enroll({ queues }: TopicLife): Promise<void> {
    const { stores, reader, subscription } = this.options;
    const { topic, group } = subscription;
    if (reader === undefined) return;
    const each = queuesOf({ topic, queues }).map((ref) =>
      stores.deliveries.enroll({ ...ref, group }, reader),
    );
    await Promise.all(each);
  }

  /** Whether the topic of that generation was deleted by somebody who meant it. Where that cannot be told, an alarm is right. */
  private async wasDeleted(generation: number | undefined): Promise<boolean> {
    const { stores, subscription } = this.options;
    const removed = await stores.topics
      .removedGeneration(subscription.topic)
      .catch(() => undefined);
    return generation !== undefined && removed !== undefined && removed >= generation;
  }

  private tellOfDeletion(): void {
    const { logger, subscription } = this.options;
    const { topic, group } = subscription;
    logger.warn(
      `${topic}/${group}: the topic was deleted by MessageAdmin.deleteTopic while it was consumed here, with what was in it. It is there again, and consumed.`,
    );
  }

  private alarm(queues: readonly QueueRef[]): void {
    const { events, logger, subscription } = this.options;
    const { topic, group } = subscription;
    if (queues.length === 0) return;
    for (const { queue } of queues)
      events.emit('group-recreated', {
        topic,
        queue,
        group,
        from: 'where it began, or the first message',
      });
    const where = queues.map(({ queue }) => queue).join(', ');
    logger.error(
      `${topic}/${group}: the group had vanished from ${queues.length === 1 ? 'queue' : 'queues'} ${where}, and was created again. Messages may come again; some may be lost if the store lost data.`,
    );
  }
}
