import type { Events } from '../runtime/events.js';
import type { Logger } from '../runtime/logger.js';
import { queuesOf, type QueueRef } from '../store/refs.js';
import type { Stores } from '../store/stores.js';
import type { ConsumeMode, JoinReply } from '../store/topic-registry.js';
import { groupConflict } from './group-conflict.js';
import type { Subscription } from './subscription.js';

/** Topics of one subscription: as known, and as it is now, made anew if it is gone and that is allowed. */
export interface TopicLookup {
  get(): Promise<{ queues: number }>;
  refresh(): Promise<{ queues: number }>;
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

  constructor(options: GroupRegistrationOptions) {
    this.options = options;
  }

  /** The group exists in every queue when this resolves. @throws InvalidOptionsError when other members differ. */
  async join(): Promise<{ queues: number }> {
    const info = await this.options.topic.get();
    this.alarm((await this.register(info)).recreated);
    return info;
  }

  /** The group is gone in some queue, or the topic is: bring back what is missing. `known`: where the group had been. */
  async joinAgain(known: readonly QueueRef[]): Promise<{ queues: number }> {
    const info = await this.options.topic.refresh();
    const { created, recreated } = await this.register(info);
    // Where the store lost everything, it does not know either that the group had been there.
    this.alarm(created ? known : recreated);
    return info;
  }

  /** The group has to be known in queues that were added. @returns how many there are. */
  async joinAdded(): Promise<number> {
    const info = await this.options.topic.refresh();
    this.alarm((await this.register(info)).recreated);
    return info.queues;
  }

  private async register({ queues }: { queues: number }): Promise<JoinReply & { state: 'joined' }> {
    const { stores, mode, reader, subscription } = this.options;
    const { topic, group, from, origin, filter, allowFilterChange, ordered } = subscription;
    const wanted = { group, mode, filterDigest: filter?.digest ?? '', orderedBy: ordered?.by };
    const reply = await stores.topics.joinGroup(topic, { ...wanted, from, allowFilterChange });
    if (reply.state === 'conflict')
      throw groupConflict({ origin, topic }, wanted, reply.registered);
    if (reader !== undefined) {
      // Redis 7.0 lists who has read something: whoever waits for the first message would be missed by an operator.
      const enroll = (ref: QueueRef): Promise<void> =>
        stores.deliveries.enroll({ ...ref, group }, reader);
      await Promise.all(queuesOf({ topic, queues }).map(enroll));
    }
    return reply;
  }

  private alarm(queues: readonly QueueRef[]): void {
    const { events, logger, subscription } = this.options;
    const { topic, group } = subscription;
    if (queues.length === 0) return;
    for (const { queue } of queues)
      events.emit('group-recreated', { topic, queue, group, from: 'its first offset' });
    const where = queues.map(({ queue }) => queue).join(', ');
    logger.error(
      `${topic}/${group}: the group had vanished from ${queues.length === 1 ? 'queue' : 'queues'} ${where}, and was created again where it once began. Messages may come again; some may be lost if the store lost data.`,
    );
  }
}
