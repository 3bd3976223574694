import { groupOfLane, laneOf } from '../core/consumer/ordered/lane-name.js';
import { compareOffsets } from '../core/message/offset.js';
import { messageGroupOf } from '../core/message/wire-format.js';
import { selectQueue } from '../core/producer/queue-selector.js';
import type { MemoryGroup } from './memory-group.js';
import type { MemoryLanes } from './memory-lanes.js';
import type { MemoryQueue } from './memory-queue.js';

/** What of a queue counts here. */
interface GrowingQueue {
  readonly log: MemoryQueue;
  readonly scheduled: ReadonlyMap<string, { messageId: string; frame: Buffer }>;
  readonly halves: ReadonlyMap<string, unknown>;
  readonly groups: ReadonlyMap<string, MemoryGroup>;
  readonly lanes: ReadonlyMap<string, MemoryLanes>;
  readonly growth: MemoryGrowth;
}

/** What a queue knows of how the number of queues grew, as open-queue and drained keep it. */
export class MemoryGrowth {
  /** Where its message groups were before, until `generation` of so many queues. */
  parent: { queue: number; generation: number; queues: number } | undefined;
  /** Generation → the last offset before it. */
  readonly seals = new Map<number, string>();
  /** Ids of halves, and of scheduled messages with a group, that are older than the last generation. */
  readonly before = new Set<string>();

  /** From here on messages come by this generation. */
  seal(queue: GrowingQueue, generation: number): void {
    this.seals.set(generation, queue.log.lastOffset);
    for (const { messageId, frame } of queue.scheduled.values())
      if (messageGroupOf(frame) !== undefined) this.before.add(messageId);
    for (const id of queue.halves.keys()) this.before.add(id);
  }
}

/** Whether the group has settled in `parent` what `child` must not overtake. @returns the last token there. */
export function drainedToken(
  { parent, child }: { parent: GrowingQueue; child: GrowingQueue },
  group: string,
): number | undefined {
  const { growth } = parent;
  const { generation, queues } = child.growth.parent!;
  const lanes = parent.lanes.get(group);
  const progress = parent.groups.get(group);
  const seal = sealOf(parent, generation);
  if (seal === undefined || !progress || (growth.parent && !lanes?.gateIsOpen)) return undefined;
  const upTo = (offset: string): boolean => compareOffsets(offset, seal) <= 0;
  const comes = (messageGroup: string | undefined): boolean =>
    messageGroup !== undefined && selectQueue(messageGroup, queues) === child.log.ref.queue;
  const laneComes = (lane: string): boolean => comes(groupOfLane(lane));
  const [unread] = parent.log.after(progress.position);
  const isUnread = unread !== undefined && upTo(unread.offset);
  const isPending = [...progress.pending.keys()]
    .filter(upTo)
    .map((offset) => laneOf(parent.log.read(offset), 'message-group'))
    .some((lane) => 'name' in lane && laneComes(lane.name));
  const isHeld = lanes?.heldLanes().some(({ lane, from }) => upTo(from) && laneComes(lane));
  return isUnread || isPending || isHeld ? undefined : (lanes?.lease.token ?? 0);
}

/** Undefined while something is hidden that was stored before. What became visible since is waited for as well. */
function sealOf({ growth, scheduled, halves, log }: GrowingQueue, of: number): string | undefined {
  const { before, seals } = growth;
  if ([...before].some((id) => scheduled.has(id) || halves.has(id))) return undefined;
  if (before.size > 0) for (const generation of seals.keys()) seals.set(generation, log.lastOffset);
  before.clear();
  return seals.get(of);
}
