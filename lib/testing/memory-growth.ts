import { groupOfLane, laneOf } from '../core/consumer/ordered/lane-name.js';
import { compareOffsets } from '../core/message/offset.js';
import { messageGroupOf } from '../core/message/wire-format.js';
import { selectQueue } from '../core/producer/queue-selector.js';
import type { QueueGate } from '../core/store/queue-lease-store.js';
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

/** Whether the group has settled in `parent` what `child` must not overtake. @returns the last token there, or what is left. */
export function lookBehind(
  { parent, child }: { parent: GrowingQueue; child: GrowingQueue },
  group: string,
): { token: number } | { gate: QueueGate } {
  const { growth } = parent;
  const { generation, queues } = child.growth.parent!;
  const lanes = parent.lanes.get(group);
  const progress = parent.groups.get(group);
  const waits = (waitsFor: QueueGate['waitsFor'], messageGroups: string[] = []) => ({
    gate: { behind: parent.log.ref.queue, waitsFor, messageGroups: [...new Set(messageGroups)] },
  });
  if (!growth.seals.has(generation) || !progress) return waits('unread');
  if (growth.parent && !lanes?.gateIsOpen) return waits('gated');
  const hidden = hiddenIn(parent);
  if (hidden) return waits(hidden);
  const seal = sealOf(parent, generation);
  const upTo = (offset: string): boolean => compareOffsets(offset, seal) <= 0;
  const coming = (laneNames: readonly string[]): string[] =>
    laneNames
      .map(groupOfLane)
      .filter((name) => name !== undefined)
      .filter((name) => selectQueue(name, queues) === child.log.ref.queue);
  const [unread] = parent.log.after(progress.position);
  if (unread !== undefined && upTo(unread.offset)) return waits('unread');
  const holds = (lanes?.heldLanes() ?? []).filter(({ from }) => upTo(from));
  const held = (state: string): string[] =>
    coming(holds.filter((hold) => hold.state === state).map(({ lane }) => lane));
  const parked = held('parked');
  if (parked.length > 0) return waits('parked', parked);
  const pending = [...progress.pending.keys()]
    .filter(upTo)
    .map((offset) => laneOf(parent.log.read(offset), 'message-group'))
    .flatMap((lane) => ('name' in lane ? [lane.name] : []));
  const unsettled = [...coming(pending), ...held('open')];
  return unsettled.length > 0 ? waits('unsettled', unsettled) : { token: lanes?.lease.token ?? 0 };
}

/** What is not visible yet of what was stored before the last generation. */
function hiddenIn({ growth, scheduled, halves }: GrowingQueue): 'scheduled' | 'half' | undefined {
  for (const id of growth.before) {
    if (scheduled.has(id)) return 'scheduled';
    if (halves.has(id)) return 'half';
  }
  return undefined;
}

/** The last offset before a generation. What became visible since, of what was hidden then, is waited for as well. */
function sealOf({ growth: { before, seals }, log }: GrowingQueue, generation: number): string {
  if (before.size > 0) for (const each of seals.keys()) seals.set(each, log.lastOffset);
  before.clear();
  return seals.get(generation)!;
}
