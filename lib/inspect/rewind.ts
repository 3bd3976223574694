import { offsetBefore, offsetBeforeTime, isOffset } from '../core/message/offset.js';
import { describeValue, integerProblem, unknownOptions } from '../core/message/options.js';
import type { TopicName } from '../core/message/topic.js';
import type { StoreTime } from '../core/store/store-time.js';
import type { Stores } from '../core/store/stores.js';
import type { Groups } from './groups.js';
import { groupProblem, type Problem, refuse, topicNameProblem } from './input.js';

/** Where a group goes on: everywhere, or at one offset of one queue. */
export type RewindTarget = 'earliest' | 'latest' | Date | { queue: number; offset: string };

/** By so much a clock may be ahead of the store's before its "now" is taken for the future. */
const CLOCKS_DIFFER_MS = 60_000;

/** Moves consumer groups to another place in their topics. */
export class Rewind {
  private readonly stores: Stores;
  private readonly groups: Groups;
  private readonly storeTime: StoreTime;

  constructor(options: { stores: Stores; groups: Groups; storeTime: StoreTime }) {
    this.storeTime = options.storeTime;
    this.stores = options.stores;
    this.groups = options.groups;
  }

  async run(
    name: TopicName,
    group: string,
    to: RewindTarget,
    options: { force?: boolean },
  ): Promise<void> {
    refuse('rewindGroup', [
      topicNameProblem(name),
      groupProblem(group),
      targetProblem(to, this.storeTime.now()),
      ...unknownOptions(options, ['force']),
    ]);
    const info = await this.groups.existing(name, group, 'rewindGroup');
    const { mode } = info.group;
    const only = typeof to === 'object' && 'queue' in to ? to.queue : undefined;
    refuse('rewindGroup', [
      mode === 'broadcasting'
        ? `group "${group}" is broadcasting: each of its processes has its own place, which begins anew when it starts`
        : undefined,
      only !== undefined && only >= info.queues
        ? `queue must be from 0 to ${info.queues - 1}, got: ${only}`
        : undefined,
    ]);
    if (options.force !== true)
      await this.groups.refuseWhileAlive(info, [group], `Group "${group}"`);
    const refs = this.groups.refs(info, group);
    const moved = only === undefined ? refs : refs.filter(({ queue }) => queue === only);
    const { deliveries, leases } = this.stores;
    // In this order: a queue that was added waits for one with a smaller number.
    if (mode === 'ordered') for (const ref of moved) await leases.rewind(ref, placeOf(to));
    else await Promise.all(moved.map((ref) => deliveries.rewind(ref, placeOf(to))));
  }
}

/** The offset behind which the group goes on. */
function placeOf(to: RewindTarget): string {
  if (to === 'latest') return to;
  if (to === 'earliest') return '0-0';
  return to instanceof Date ? offsetBeforeTime(to.getTime()) : offsetBefore(to.offset);
}

function targetProblem(to: unknown, now: number): Problem {
  if (to === 'earliest' || to === 'latest') return undefined;
  if (to instanceof Date) {
    if (Number.isNaN(to.getTime())) return 'the place must not be an invalid Date';
    // What is sent until then would never be handed out.
    return to.getTime() > now + CLOCKS_DIFFER_MS
      ? `the place must not be in the future, got: ${to.toISOString()}`
      : undefined;
  }
  if (typeof to === 'object' && to !== null && 'queue' in to && 'offset' in to)
    return (
      integerProblem('queue', to.queue, { min: 0 }) ??
      (isOffset(to.offset)
        ? undefined
        : `offset must be one that a message had, got: ${describeValue(to.offset)}`)
    );
  return `the place must be "earliest", "latest", a Date or { queue, offset }, got: ${describeValue(to)}`;
}
