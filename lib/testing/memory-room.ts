import { compareOffsets } from '../core/message/offset.js';
import { FIRST_ATTEMPT } from './memory-attempts.js';
import type { MemoryGroup } from './memory-group.js';
import type { QueueState, TopicState } from './memory-state.js';

export interface RoomRequest {
  count: number;
  drop: 'settled' | 'oldest';
  note: string;
}

type GroupState = TopicState['groups'] extends Map<string, infer State> ? State : never;

/** A consumer group as far as it keeps messages: `group` is undefined where it was lost. */
interface Keeper {
  name: string;
  isOrdered: boolean;
  position: string;
  group: MemoryGroup | undefined;
}

/** As `make-room.lua` does it. */
export function makeRoom(
  topic: TopicState,
  queue: QueueState,
  { count, drop, note }: RoomRequest,
  now: number,
): { dropped: number; deadLetters: number } {
  // Broadcasts settle nothing, and so keep nothing.
  const settling = [...topic.groups.values()].filter(({ info }) => info.mode !== 'broadcasting');
  const keepers = keepersOf(settling, queue);
  const oldest = queue.log.range({ from: '-', to: '+', count: Math.min(count, 1_000) });
  const end = oldest.findIndex(
    ({ offset }) =>
      (drop === 'settled' && settling.length === 0) ||
      keepers.some((keeper) => keeps(keeper, offset, drop)),
  );
  const dropped = end === -1 ? oldest : oldest.slice(0, end);
  const last = dropped.at(-1)?.offset;
  if (last === undefined) return { dropped: 0, deadLetters: 0 };
  let deadLetters = 0;
  for (const { offset, content } of dropped)
    for (const { name, group, position } of keepers) {
      const isUnseen = compareOffsets(offset, position) > 0;
      if (!isUnseen && !group?.pending.has(offset)) continue;
      const { starts, history } = group?.attemptsOf(offset) ?? FIRST_ATTEMPT;
      if (content.kind !== 'message' || content.only === null || content.only === name) {
        const text = `${note.replace(/}$/, '')},"attempts":${isUnseen ? 0 : starts},"history":${history || '[]'}}`;
        const { topic: topicName, queue: number } = queue.log.ref;
        const letter = {
          topic: topicName,
          queue: number,
          group: name,
          offset,
          note: text,
          content,
        };
        queue.deadLettersOf(name).add(letter, now);
        deadLetters += 1;
      }
      group?.forget(offset);
    }
  for (const { group } of keepers)
    if (group && compareOffsets(group.position, last) < 0) group.position = last;
  return { dropped: queue.log.dropBefore(after(last), dropped.length), deadLetters };
}

function keepersOf(settling: GroupState[], queue: QueueState): Keeper[] {
  return settling.flatMap(({ info, starts }) => {
    const group = queue.groups.get(info.group);
    const position = group?.position ?? starts.get(queue.log.ref.queue);
    if (position === undefined) return [];
    return [{ name: info.group, isOrdered: info.mode === 'ordered', position, group }];
  });
}

function keeps(keeper: Keeper, offset: string, drop: 'settled' | 'oldest'): boolean {
  const isUnseen = compareOffsets(offset, keeper.position) > 0;
  const [firstPending] = keeper.group?.pending.keys() ?? [];
  const isPending =
    !isUnseen && firstPending !== undefined && compareOffsets(offset, firstPending) >= 0;
  return drop === 'settled' ? isUnseen || isPending : keeper.isOrdered && isPending;
}

function after(offset: string): string {
  const [ms, seq] = offset.split('-') as [string, string];
  return `${ms}-${BigInt(seq) + 1n}`;
}
