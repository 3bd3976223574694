// What an owner changes in its queue: each answers what speaks against it, having changed nothing, or does all of it.
import type { HeldStep, LaneStep, StepReply } from '../core/store/queue-lease-store.js';
import type { StoredEntry } from '../core/store/refs.js';
import type { MemoryGroup } from './memory-group.js';
import type { MemoryLanes } from './memory-lanes.js';

/** A queue of an ordered group in the hands of its owner. */
export interface OwnedQueue {
  readonly lanes: MemoryLanes;
  readonly group: MemoryGroup;
  readonly now: number;
  /** Keeps a copy among the dead letters. */
  bury(entry: StoredEntry, note: string): void;
}

export interface HoldMove {
  lane: string;
  offsets: readonly string[];
  park: { note: string } | null;
}

export type Refused = Extract<StepReply, { state: 'refused' }>;

export function stepLanes(
  { lanes, group, now, bury }: OwnedQueue,
  steps: readonly LaneStep[],
): Refused | undefined {
  const before = new Map(lanes.heads);
  const refuse = (index: number, why: Refused['why']): Refused => {
    lanes.heads.clear();
    for (const [lane, head] of before) lanes.heads.set(lane, head);
    return { state: 'refused', index, why };
  };
  for (const [index, step] of steps.entries()) {
    if (!lanes.isInTurn(step.lane, step.offset)) return refuse(index, 'order');
    if (step.kind !== 'ack' && !group.pending.has(step.offset)) return refuse(index, 'gone');
    lanes.put(step.lane, lanes.moved(step.lane, step, now));
  }
  for (const step of steps) {
    if (step.kind === 'dead-letter') bury(group.queue.read(step.offset), step.note);
    if (step.kind === 'dead-letter' || step.kind === 'ack') group.forget(step.offset);
  }
  return undefined;
}

export function holdLane(
  { lanes, group, now }: OwnedQueue,
  { lane, offsets, park }: HoldMove,
): Refused | undefined {
  const head = lanes.heads.get(lane);
  for (const [index, offset] of offsets.entries()) {
    const mayBeHead = park !== null && index === 0;
    if (head && mayBeHead !== (offset === head.offset))
      return { state: 'refused', index, why: 'order' };
    if (!group.pending.has(offset)) return { state: 'refused', index, why: 'gone' };
  }
  const moved = offsets.map((offset) => group.queue.read(offset));
  for (const offset of offsets) group.forget(offset);
  const fresh = { state: 'open', first: offsets[0]!, since: now, note: '' } as const;
  const hold = lanes.holds.get(lane) ?? { ...fresh, entries: [] };
  lanes.holds.set(lane, hold);
  if (!park) hold.entries.push(...moved);
  else {
    hold.entries.unshift(...moved);
    Object.assign(hold, { ...fresh, state: 'parked', note: park.note });
    lanes.heads.delete(lane);
  }
  return undefined;
}

export function stepHeldLane(
  { lanes, now, bury }: OwnedQueue,
  lane: string,
  steps: readonly HeldStep[],
): Refused | undefined {
  const hold = lanes.holds.get(lane);
  const before = lanes.heads.get(lane);
  let removed = 0;
  let parks = false;
  for (const [index, step] of steps.entries()) {
    const head = lanes.heads.get(lane);
    const isInTurn =
      hold?.state === 'open' && !parks && (head?.offset ?? step.offset) === step.offset;
    const isThere = hold?.entries[removed]?.offset === step.offset;
    if (!isInTurn || !isThere) {
      lanes.put(lane, before);
      return { state: 'refused', index, why: isInTurn ? 'gone' : 'order' };
    }
    lanes.put(lane, lanes.moved(lane, step, now));
    parks = step.kind === 'park';
    if (step.kind === 'ack' || step.kind === 'dead-letter') removed += 1;
  }
  const gone = hold!.entries.splice(0, removed);
  for (const step of steps) {
    if (step.kind === 'dead-letter')
      bury(
        gone.find(({ offset }) => offset === step.offset)!,
        step.note,
      );
    if (step.kind === 'park')
      Object.assign(hold!, { state: 'parked', since: now, note: step.note });
  }
  if (hold!.entries.length === 0) lanes.holds.delete(lane);
  return undefined;
}
