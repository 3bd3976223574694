import { groupOfLane } from '../core/consumer/ordered/lane-name.js';
import { MalformedMessageError } from '../core/message/errors.js';
import { messageGroupOf } from '../core/message/wire-format.js';
import { selectQueue } from '../core/producer/queue-selector.js';
import type { GroupQueue } from '../core/store/delivery-store.js';
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
 * @returns the last fencing token there; undefined while something is left.
 */
export async function drainedToken(
  { host, keys }: { host: ScriptHost; keys: Keys },
  ref: GroupQueue,
  parent: Parent,
): Promise<string | undefined> {
  const { topic, group } = ref;
  const reply = await scripts.drained.runBinary(host, {
    keys: keys.groupQueue({ topic, group, queue: parent.queue }),
    args: { group, generation: parent.generation },
  });
  if (String(reply[0]) !== 'left') return undefined;
  const [, token, entries, lanes] = reply as [Buffer, Buffer, RawEntry[], Buffer[]];
  const comes = (messageGroup: string | undefined): boolean =>
    messageGroup !== undefined && selectQueue(messageGroup, parent.queues) === ref.queue;
  const isLeft =
    entries.some((entry) => comes(groupOf(entry))) ||
    lanes.some((lane) => comes(groupOfLane(String(lane))));
  return isLeft ? undefined : String(token);
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
