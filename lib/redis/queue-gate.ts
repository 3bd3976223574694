import { groupOfLane } from '../core/consumer/ordered/lane-name.js';
import { MalformedMessageError } from '../core/message/errors.js';
import { messageGroupOf } from '../core/message/wire-format.js';
import { selectQueue } from '../core/producer/queue-selector.js';
import type { GroupQueue } from '../core/store/delivery-store.js';
import type { QueueGate } from '../core/store/queue-lease-store.js';
import { type RawEntry, readContent } from './entry-content.js';
import type { Keys } from './keys.js';
import type { ScriptHost } from './script.js';
import { scripts } from './scripts.js';

/** Where the message groups of a queue were before the topic grew: in `queue`, until `generation` of so many queues. */
export interface Parent {
  queue: number;
  generation: string;
  queues: number;
}

export function readParent(facts: string): Parent {
  const [queue, generation, queues] = facts.split(' ');
  return { queue: Number(queue), generation: generation!, queues: Number(queues) };
}

/**
 * Whether an ordered group has settled, in the queue where the message groups of this one were before, all that it may
 * not be overtaken by. What stays in that queue is not waited for, however long it fails there.
 *
 * @returns the last fencing token there, or what is left.
 */
export async function lookBehind(
  { host, keys }: { host: ScriptHost; keys: Keys },
  ref: GroupQueue,
  parent: Parent,
): Promise<{ token: string } | { gate: QueueGate }> {
  const { topic, group } = ref;
  const { queue: behind } = parent;
  const reply = await scripts.drained.runBinary(host, {
    keys: keys.groupQueue({ topic, group, queue: behind }),
    args: { group, generation: parent.generation },
  });
  if (String(reply[0]) !== 'left')
    return { gate: { behind, waitsFor: WAITS[String(reply[1])]!, messageGroups: [] } };
  const [, token, entries, lanes] = reply as [Buffer, Buffer, RawEntry[], Buffer[]];
  const names = lanes.map(String);
  const comes = (messageGroup: string | undefined): messageGroup is string =>
    messageGroup !== undefined && selectQueue(messageGroup, parent.queues) === ref.queue;
  const held = (state: string): string[] =>
    names
      .filter((_, i) => i % 2 === 0 && names[i + 1] === state)
      .map(groupOfLane)
      .filter(comes);
  const parked = held('parked');
  const unsettled = [...entries.map(groupOf).filter(comes), ...held('open')];
  if (parked.length > 0)
    return { gate: { behind, waitsFor: 'parked', messageGroups: some(parked) } };
  if (unsettled.length === 0) return { token: String(token) };
  return { gate: { behind, waitsFor: 'unsettled', messageGroups: some(unsettled) } };
}

const WAITS: Record<string, QueueGate['waitsFor']> = {
  gate: 'gated',
  scheduled: 'scheduled',
  half: 'half',
  unread: 'unread',
  pending: 'unsettled',
};

const MOST_NAMED = 100;

function some(messageGroups: readonly string[]): string[] {
  return [...new Set(messageGroups)].slice(0, MOST_NAMED);
}

function groupOf([, fields]: RawEntry): string | undefined {
  const content = readContent(Array.isArray(fields) ? fields : null);
  if (content.kind !== 'message') return undefined;
  try {
    return messageGroupOf(content.frame);
  } catch (error) {
    // It becomes a dead letter, and belongs to nobody.
    if (error instanceof MalformedMessageError) return undefined;
    throw error;
  }
}
