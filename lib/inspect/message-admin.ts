import type { MessageId } from '../core/message/message-id.js';
import type { TopicName } from '../core/message/topic.js';
import type { RecurringSend } from '../core/producer/recurring-sends.js';
import type { Rivulet } from '../core/rivulet.js';
import type { PausedGroup } from '../core/store/pause-store.js';
import type { ResumeAction } from '../core/store/queue-lease-store.js';
import type { GroupInfo, TopicInfo, TopicSettings } from '../core/store/topic-registry.js';
import type {
  DeadLetter,
  DeadLetterFilter,
  DeadLetterPage,
  ForceOptions,
  PageOptions,
} from './dead-letters.js';
import { type AdminParts, makeAdminParts } from './admin-parts.js';
import type { GroupDescription } from './groups.js';
import type { DecidedHalf, Half, HalfPage, HalfPageOptions } from './halves.js';
import { type Health, healthOf } from './health.js';
import type { FoundEntry, FoundMessage, MessagePlace, SearchOptions } from './messages.js';
import type { ParkedLane, ParkedLanesOptions } from './parked-lanes.js';
import type { RedriveOptions, RedriveResult } from './redrive.js';
import type { RewindTarget } from './rewind.js';
import type { NewDueTime, ScheduledPage, ScheduledPageOptions } from './scheduled.js';
import type { TopicChanges, TopicDescription } from './topics.js';

/**
 * Questions and commands for operators, the same for programs, the command line and the dashboard.
 *
 * Works on a `Rivulet` that is open, whether it consumes or not. Every method refuses input that cannot be meant with
 * `InvalidInputError` (all problems at once), a topic that does not exist with `TopicNotFoundError` and a group that
 * does not with `GroupNotFoundError`. While the store is down they reject with `StoreUnavailableError`; a command may
 * have been carried out then, and can be repeated.
 */
export class MessageAdmin {
  private readonly rivulet: Rivulet;
  private readonly parts: AdminParts;

  constructor({ rivulet }: { rivulet: Rivulet }) {
    this.rivulet = rivulet;
    this.parts = makeAdminParts(rivulet);
  }

  /**
   * How this process and its store are, asked now: what a confirmed message survives, and what an operator should know.
   * Never rejects; a store that does not answer within `timeoutMs` (default 2 000) is down.
   */
  health(options: { timeoutMs?: number | undefined } = {}): Promise<Health> {
    return healthOf(this.rivulet, options);
  }

  /** Names of all topics, sorted. */
  listTopics(): Promise<string[]> {
    return this.parts.topics.list();
  }

  /** Settings, and for each queue how much it holds. Under load the numbers are of slightly different moments. */
  describeTopic(topic: TopicName): Promise<TopicDescription> {
    return this.parts.topics.describe(topic);
  }

  /**
   * Create a topic; what `settings` leave open is taken from the definition, then from this process's defaults.
   *
   * Safe to repeat. A topic that exists is never changed.
   *
   * @throws TopicExistsError when it exists and a setting that was asked for differs.
   */
  createTopic(topic: TopicName, settings: Partial<TopicSettings> = {}): Promise<TopicInfo> {
    return this.parts.topics.create(topic, settings);
  }

  /**
   * Change settings, for all processes and at once. Safe to repeat.
   *
   * `queues` only grows, to a multiple of what it is, while everything runs: no message is lost, and every message group
   * keeps its order. A new queue begins to be read by an ordered group once that has settled, in the queue where the message
   * groups were before, what was sent to them until then; halves and delayed messages of groups included.
   *
   * @throws InvalidInputError, TopicNotFoundError
   */
  alterTopic(topic: TopicName, changes: TopicChanges): Promise<TopicInfo> {
    return this.parts.topics.alter(topic, changes);
  }

  /**
   * Delete the topic with its messages, scheduled ones, groups and dead letters. Producers that go on sending bring
   * it back, empty, unless `autoCreateTopics` is off. Safe to repeat, and a repeat completes what failed halfway.
   *
   * @returns false when there was no such topic.
   * @throws InUseError when a living process consumes it, HalvesWaitingError when transactions that are not decided have
   *   messages in it, unless `force` is true.
   */
  deleteTopic(topic: TopicName, options: { force?: boolean | undefined } = {}): Promise<boolean> {
    return this.parts.removal.topic(topic, options);
  }

  /** The consumer groups of a topic with what their members agree on. */
  listGroups(topic: TopicName): Promise<GroupInfo[]> {
    return this.parts.groups.list(topic);
  }

  /**
   * How far a group is, per queue and in total, and who is in it.
   *
   * A number the store cannot tell is null (unknown), also in the total; it is never given as 0.
   */
  describeGroup(topic: TopicName, group: string): Promise<GroupDescription> {
    return this.parts.groups.describe(topic, group);
  }

  /**
   * Forget a group: its progress, retries and dead letters, and that it was paused. Messages stay for the others. A group of
   * this name that joins later is a new one.
   *
   * @returns false when there was no such group.
   * @throws InUseError when a living process consumes in it, unless `force` is true: it would bring the group back,
   *   from the first message that is kept unless its `from` is a time, also where `from` is `'latest'`.
   */
  deleteGroup(
    topic: TopicName,
    group: string,
    options: { force?: boolean | undefined } = {},
  ): Promise<boolean> {
    return this.parts.removal.group(topic, group, options);
  }

  /**
   * Let a group go on somewhere else: from the earliest message that is kept, the latest, a time, or an offset in one queue.
   * Every message from there on is handed out as if for the first time; retries that waited are forgotten, dead letters
   * stay. To handle old messages beside the new ones, let a new group subscribe `from` where you want instead.
   *
   * Idempotent handlers remember what they have done, for as long as they were told to: they are not run for it again.
   *
   * A group that keeps the order begins there in order, with larger fencing tokens. Parked lanes go on with everything else; what
   * lanes hold, and retention has removed from the topic since, is handed out first. A queue that was added to the topic waits
   * again until its message groups have been handled where they were before; so rewind all queues rather than one of
   * them. Members notice within some seconds.
   *
   * Safe to repeat. @throws InvalidInputError for groups that broadcast.
   * @throws InUseError when a living process consumes in it, unless `force` is true: what it has in hand is handed out
   *   again, and may be handled twice.
   */
  rewindGroup(
    topic: TopicName,
    group: string,
    to: RewindTarget,
    options: { force?: boolean | undefined } = {},
  ): Promise<void> {
    return this.parts.rewinds.run(topic, group, to, options);
  }

  /**
   * Start no handler of the group in any process, until `resumeGroup`; those that run go on. Members hear of it within a
   * second or two, and processes that start later begin paused. `topic` as they subscribed to it: a pattern is paused as a
   * whole, also when one of its topics is named. What is received by hand is not affected. Safe to repeat.
   *
   * @returns false when it was paused already.
   * @throws FilterSyntaxError when it is no pattern, beside what every call throws.
   */
  pauseGroup(topic: TopicName, group: string): Promise<boolean> {
    return this.parts.paused.pause(topic, group);
  }

  /**
   * `topic` as it was paused. Safe to repeat.
   *
   * @returns false when it was not paused. A process that paused it for itself stays paused.
   */
  resumeGroup(topic: TopicName, group: string): Promise<boolean> {
    return this.parts.paused.resume(topic, group);
  }

  /** Groups that are paused in every process, since when. */
  listPausedGroups(): Promise<PausedGroup[]> {
    return this.parts.paused.list();
  }

  /**
   * Every place where a message is: visible, scheduled, dead letter of a group; several after a redrive, none when
   * retention has removed it.
   *
   * A message that was sent without delay is found where its id says that it was sent. For others, the whole topic is
   * read, a little at a time.
   */
  findById(topic: TopicName, messageId: MessageId): Promise<MessagePlace[]> {
    return this.parts.messages.findById(topic, messageId);
  }

  /**
   * Visible messages with this key, oldest first, in pages of up to 100. There is no index: everything between `from`
   * and `to` is read, a little at a time.
   */
  findByKey(
    topic: TopicName,
    key: string,
    options: SearchOptions = {},
  ): AsyncGenerator<FoundMessage[]> {
    return this.parts.messages.findByKey(topic, key, options);
  }

  /** Everything that became visible in that time, oldest first over all queues, in pages of up to 100. */
  findByTime(topic: TopicName, options: SearchOptions = {}): AsyncGenerator<FoundEntry[]> {
    return this.parts.messages.findByTime(topic, options);
  }

  /** What is sent again and again (`MessageProducer.sendRecurring`), by name. */
  listRecurring(): Promise<RecurringSend[]> {
    return this.parts.recurring.list();
  }

  /** Nothing is sent any more; what was sent stays. @returns false when there is none of this name. */
  cancelRecurring(name: string): Promise<boolean> {
    return this.parts.recurring.cancel(name);
  }

  /**
   * One page of the messages that are not visible yet, with the ids that `cancelScheduled` and `reschedule` take: queue by
   * queue, and in each by when they are due. `from` and `to`, both inclusive, leave out those that are due earlier or later;
   * give the same for every page. One that is rescheduled meanwhile may come twice or not at all.
   */
  listScheduled(topic: TopicName, page: ScheduledPageOptions = {}): Promise<ScheduledPage> {
    return this.parts.scheduled.list(topic, page);
  }

  /** @returns true: it will never become visible. False: it is not scheduled (any more). Safe to repeat. */
  cancelScheduled(topic: TopicName, messageId: MessageId): Promise<boolean> {
    return this.parts.scheduled.cancel(topic, messageId);
  }

  /**
   * Change when a scheduled message becomes visible; a time that has passed means at once.
   *
   * @returns false when it is not scheduled (any more); nothing changed.
   */
  reschedule(topic: TopicName, messageId: MessageId, due: NewDueTime): Promise<boolean> {
    return this.parts.scheduled.reschedule(topic, messageId, due);
  }

  /**
   * Lanes of an ordered group that stopped at a message that used up its attempts, longest parked first: at most 1 000 and
   * 16 MiB of first messages, or what `options` say. Those behind are listed `after` the last one; only an empty list is the end.
   *
   * @throws InvalidInputError, GroupNotFoundError.
   */
  listParkedLanes(
    topic: TopicName,
    group: string,
    options: ParkedLanesOptions = {},
  ): Promise<ParkedLane[]> {
    return this.parts.parkedLanes.list(topic, group, options);
  }

  /**
   * Let a parked lane go on: with another run of its first message (default), with that among the dead letters, which
   * keep why it was parked, or without it. Attempts begin anew, and what waited behind it follows in its order. The member that
   * owns the queue hears of it with its next call to the store, within `ordered.renewMs` (5 s).
   *
   * Safe to repeat. @returns false when the lane is not parked (any more); nothing changed.
   * @throws InvalidInputError also when a message group is given in place of its lane.
   */
  resumeLane(
    topic: TopicName,
    group: string,
    lane: { queue: number; lane: string },
    action: ResumeAction = 'retry',
  ): Promise<boolean> {
    return this.parts.parkedLanes.resume(topic, group, lane, action);
  }

  /** One page of what a group gave up on: queue after queue, oldest first in each. Cannot fail on a damaged one. */
  listDeadLetters(
    topic: TopicName,
    group: string,
    page: PageOptions = {},
  ): Promise<DeadLetterPage> {
    return this.parts.deadLetters.list(topic, group, page);
  }

  /** @returns undefined when it is not there (any more). */
  getDeadLetter(topic: TopicName, group: string, id: string): Promise<DeadLetter | undefined> {
    return this.parts.deadLetters.get(topic, group, id);
  }

  /**
   * Append a dead letter to its queue again, for its group only, and remove it. Attempts begin anew.
   *
   * Safe to repeat: it is redriven once. With `force` the dedup record of the group is forgotten first, so that an idempotent
   * handler runs even if it has handled another message with the same dedup key; what a database remembers (`participant`)
   * stays.
   *
   * @returns the new offset, or undefined when it is not there (any more) or holds no message.
   */
  redriveDeadLetter(
    topic: TopicName,
    group: string,
    id: string,
    options: ForceOptions = {},
  ): Promise<string | undefined> {
    return this.parts.deadLetters.redrive(topic, group, { ...options, id });
  }

  /**
   * Redrive all dead letters of a group that are there now, or those that `filter` wants; not what fails again
   * meanwhile.
   *
   * Never faster than `perSecond`. Can be stopped and repeated at any time: each is redriven once. With `force` as for
   * `redriveDeadLetter`. An error of `filter`, `onProgress` or `dedupKey` ends it and is rethrown.
   */
  redriveDeadLetters(
    topic: TopicName,
    group: string,
    options: RedriveOptions = {},
  ): Promise<RedriveResult> {
    return this.parts.redrives.run(topic, group, options);
  }

  /** @returns false when it is not there (any more). What is deleted is gone for good. */
  deleteDeadLetter(topic: TopicName, group: string, id: string): Promise<boolean> {
    return this.parts.deadLetters.remove(topic, group, id);
  }

  /** Delete those that are there now and that `filter` wants. @returns how many. */
  deleteDeadLetters(topic: TopicName, group: string, filter: DeadLetterFilter): Promise<number> {
    return this.parts.deadLetters.removeAll(topic, group, filter);
  }

  /**
   * One page of the messages of transactions that are not decided: queue after queue, in each by when they began. A few of
   * them are there at any moment; `parked` ones wait for you.
   */
  listHalves(topic: TopicName, page: HalfPageOptions = {}): Promise<HalfPage> {
    return this.parts.halves.list(topic, page);
  }

  /** Where a transaction that is not decided has messages, in all topics. Empty when it is decided, or was never known. */
  findTransaction(transactionId: string): Promise<Half[]> {
    return this.parts.halves.find(transactionId);
  }

  /**
   * Have somebody asked what became of a transaction, also one that is parked: when its list is asked next, within half of
   * `checkAfterMs` (2.5 s by default; at least 1 s, at most 5 s, or a second for each list of a process that has more than five).
   * By whatever process can answer; the event `checked` tells there what came of it. Safe to repeat.
   *
   * @returns in how many queues it has messages.
   */
  checkTransaction(transactionId: string): Promise<number> {
    return this.parts.halves.check(transactionId);
  }

  /**
   * Make the messages of a parked transaction visible, in all topics. Safe to repeat.
   *
   * @returns what became of each half; empty when there is none (any more).
   * @throws StillCheckedError when somebody who knows will be asked, unless `force` is true.
   */
  commitTransaction(
    transactionId: string,
    options: { force?: boolean | undefined } = {},
  ): Promise<DecidedHalf[]> {
    return this.parts.halves.decide('commitTransaction', transactionId, options);
  }

  /** Drop the messages of a parked transaction for good, in all topics. Otherwise as `commitTransaction`. */
  rollbackTransaction(
    transactionId: string,
    options: { force?: boolean | undefined } = {},
  ): Promise<DecidedHalf[]> {
    return this.parts.halves.decide('rollbackTransaction', transactionId, options);
  }
}
