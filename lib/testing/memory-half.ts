import type {
  ClaimedHalf,
  HalfFacts,
  HalfMessages,
  HalfView,
} from '../core/store/half-message-store.js';
import type { AppendEntry } from '../core/store/message-log.js';
import { bytesOf } from '../core/message/frame.js';
import type { QueueRef } from '../core/store/refs.js';

export interface MemoryHalf {
  readonly id: string;
  readonly owner: string;
  readonly name: string;
  readonly entries: readonly AppendEntry[];
  readonly preparedAt: number;
  checks: number;
  checkAt: number;
  parked: string | null;
}

export function newHalf(
  { id, name, entries }: HalfMessages,
  { owner, now, checkAt }: { owner: string; now: number; checkAt: number },
): MemoryHalf {
  const own = entries.map((entry) => ({ ...entry, frame: bytesOf(entry.frame) }));
  return { id, owner, name, entries: own, preparedAt: now, checks: 0, checkAt, parked: null };
}

export function claimed(half: MemoryHalf, { frames }: { frames: boolean }): ClaimedHalf {
  return { ...factsOf(half), frames: frames ? framesOf(half) : [] };
}

export function viewOf(ref: QueueRef, half: MemoryHalf): HalfView {
  const { topic, queue } = ref;
  const { parked } = half;
  const checkAt = parked === null ? half.checkAt : null;
  return { topic, queue, ...factsOf(half), frames: framesOf(half), parked, checkAt };
}

function factsOf({ id, owner, name, preparedAt, checks, entries }: MemoryHalf): HalfFacts {
  const dues = entries.map(({ due }) => due);
  return { id, owner, name, preparedAt, checks, messages: entries.length, dues };
}

function framesOf({ entries }: MemoryHalf): Buffer[] {
  return entries.map(({ frame }) => bytesOf(frame));
}
