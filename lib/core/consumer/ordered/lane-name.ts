import { MalformedMessageError } from '../../message/errors.js';
import { messageGroupOf } from '../../message/wire-format.js';
import type { StoredEntry } from '../../store/refs.js';
import type { OrderedBy } from '../../store/topic-registry.js';

const WHOLE_QUEUE = { name: '*' };

/**
 * The lane of a message. Whatever has no message group is a lane of its own.
 *
 * `newerVersion`: a newer library wrote it, so nobody here knows whom it would overtake.
 */
export function laneOf(
  { content, offset }: StoredEntry,
  by: OrderedBy,
): { name: string } | { newerVersion: number } {
  const ofItsOwn = { name: `#${offset}` };
  if (content.kind !== 'message') return by === 'queue' ? WHOLE_QUEUE : ofItsOwn;
  try {
    const group = messageGroupOf(content.frame);
    if (by === 'queue') return WHOLE_QUEUE;
    return group === undefined ? ofItsOwn : { name: laneOfGroup(group) };
  } catch (error) {
    const version = error instanceof MalformedMessageError ? error.version : undefined;
    if (version !== undefined) return { newerVersion: version };
    return by === 'queue' ? WHOLE_QUEUE : ofItsOwn;
  }
}

export function laneOfGroup(messageGroup: string): string {
  return `=${messageGroup}`;
}

/** Whether it may be the name of a lane; a bare message group is none. */
export function isLaneName(text: string): boolean {
  return text === WHOLE_QUEUE.name || /^(=|#.)/su.test(text);
}

/** Whether the lane is that of a single message, which no other one waits for. */
export function isWithoutGroup(lane: string): boolean {
  return lane.startsWith('#');
}

/** Undefined for a lane that is not one of a message group. */
export function groupOfLane(lane: string): string | undefined {
  return lane.startsWith('=') ? lane.slice(1) : undefined;
}
