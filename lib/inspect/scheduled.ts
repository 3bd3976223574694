import { releaseWork } from '../core/upkeep.js';
import type { MessageId } from '../core/message/message-id.js';
import { describeValue, integerProblem, unknownOptions } from '../core/message/options.js';
import type { TopicName } from '../core/message/topic.js';
import type { StoreTime } from '../core/store/store-time.js';
import type { Stores } from '../core/store/stores.js';
import { queuesOf } from '../core/store/refs.js';
import { dateProblem, messageIdProblem, type Problem, refuse, topicNameProblem } from './input.js';
import type { Topics } from './topics.js';

/** One of the two: from now, or then. */
export type NewDueTime = { delayMs: number } | { deliverAt: Date };

type When = { at: number } | { delayMs: number };

const LONGEST_DELAY_MS = 100 * 365 * 86_400_000;

/** Commands about messages that become visible later. */
export class Scheduled {
  private readonly stores: Stores;
  private readonly topics: Topics;
  private readonly storeTime: StoreTime;

  constructor(options: { stores: Stores; topics: Topics; storeTime: StoreTime }) {
    this.stores = options.stores;
    this.topics = options.topics;
    this.storeTime = options.storeTime;
  }

  async cancel(name: TopicName, messageId: MessageId): Promise<boolean> {
    refuse('cancelScheduled', [topicNameProblem(name), messageIdProblem(messageId)]);
    const info = await this.topics.existing(name, 'cancelScheduled');
    const cancelled = await Promise.all(
      queuesOf(info).map((ref) => this.stores.schedule.cancel(ref, messageId)),
    );
    return cancelled.includes(true);
  }

  async reschedule(name: TopicName, messageId: MessageId, due: NewDueTime): Promise<boolean> {
    refuse('reschedule', [
      topicNameProblem(name),
      messageIdProblem(messageId),
      ...dueProblems(due),
    ]);
    const info = await this.topics.existing(name, 'reschedule');
    const when: When =
      'deliverAt' in due ? { at: due.deliverAt.getTime() } : { delayMs: due.delayMs };
    const dueAt = 'at' in when ? when.at : this.storeTime.now() + when.delayMs;
    for (const ref of queuesOf(info)) {
      if (!(await this.stores.schedule.find(ref, messageId))) continue;
      // Before it is stored: an entry of the agenda must never be later than what is due.
      await this.stores.agenda.note(releaseWork(ref), dueAt);
      return this.stores.schedule.reschedule(ref, messageId, when);
    }
    return false;
  }
}

function dueProblems(due: NewDueTime): Problem[] {
  const problems: Problem[] = unknownOptions(due, ['delayMs', 'deliverAt']);
  if (typeof due !== 'object' || due === null) return problems;
  const { delayMs, deliverAt } = due as { delayMs?: unknown; deliverAt?: unknown };
  if ((delayMs === undefined) === (deliverAt === undefined))
    return [...problems, 'give either delayMs or deliverAt'];
  if (deliverAt !== undefined)
    return [
      ...problems,
      dateProblem('deliverAt', deliverAt),
      deliverAt instanceof Date && deliverAt.getTime() > Date.UTC(9999, 0)
        ? `deliverAt must be before the year 9999, got: ${describeValue(deliverAt)}`
        : undefined,
    ];
  return [...problems, integerProblem('delayMs', delayMs, { min: 0, max: LONGEST_DELAY_MS })];
}
