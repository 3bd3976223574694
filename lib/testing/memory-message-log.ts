import { StoreUnavailableError } from '../core/message/errors.js';
import { bytesOf, messageIdOf } from '../core/message/frame.js';
import { compareOffsets } from '../core/message/offset.js';
import type {
  AcksReached,
  AcksWanted,
  AppendCall,
  AppendEntry,
  AppendReply,
  AppendResult,
  LogRange,
  LogReader,
  MessageLog,
  ReopenCall,
  ReopenReply,
} from '../core/store/message-log.js';
import type { QueueRef, StoredEntry } from '../core/store/refs.js';
import type { TopicInfo } from '../core/store/topic-registry.js';
import type { MemoryGate } from './memory-gate.js';
import { MemoryLogReader } from './memory-log-reader.js';
import { makeRoom, type RoomRequest } from './memory-room.js';
import type { MemoryState, QueueState, TopicState } from './memory-state.js';

export class MemoryMessageLog implements MessageLog {
  private readonly state: MemoryState;
  private readonly gate: MemoryGate;

  constructor(state: MemoryState, gate: MemoryGate) {
    this.state = state;
    this.gate = gate;
  }

  append(call: AppendCall): Promise<AppendReply> {
    return this.gate.call(() => {
      const now = this.gate.clock.now();
      const topic = this.state.topics.get(call.topic);
      const queue = topic?.queues[call.queue];
      if (!topic || !queue) return { state: 'moved', generation: 0 };
      // A repeat comes first: a call that was carried out stays so when the topic changes afterwards.
      const verdict = queue.sessions.judge(call, now);
      if (verdict.kind === 'repeat')
        return { state: 'appended', results: verdict.results, repeat: true, ...reachedBy(call) };
      if (topic.info.generation !== call.generation)
        return { state: 'moved', generation: topic.info.generation };
      if (verdict.kind === 'forgotten')
        throw new StoreUnavailableError(
          `Call ${call.number} of epoch ${call.epoch} was carried out or not, its answer is forgotten; begin a new epoch`,
        );
      if (verdict.kind !== 'news') return { state: verdict.kind };

      const wanted = call.entries.filter((entry) => !duplicateOf(queue, entry, now)).length;
      const room = roomIn(queue, topic.info);
      if (wanted > room)
        return { state: 'full', room: Math.max(0, room), whenFull: topic.info.whenFull };
      const results = call.entries.map((entry) => storeUnlimited(queue, entry, topic.info, now));
      queue.sessions.record(call, results, now);
      this.state.changed();
      return { state: 'appended', results, repeat: false, ...reachedBy(call) };
    });
  }

  reopen(call: ReopenCall): Promise<ReopenReply> {
    return this.gate.call(() => {
      const reply = this.state.queue(call)?.sessions.reopen(call, this.gate.clock.now());
      return reply ? { ...reply, ...reachedBy(call) } : { state: 'new-session' };
    });
  }

  openReader(): LogReader {
    return new MemoryLogReader(this.state, this.gate);
  }

  makeRoom(ref: QueueRef, room: RoomRequest): Promise<{ dropped: number; deadLetters: number }> {
    return this.gate.call(() => {
      const topic = this.state.topics.get(ref.topic);
      const queue = topic?.queues[ref.queue];
      if (!topic || !queue) return { dropped: 0, deadLetters: 0 };
      return makeRoom(topic, queue, room, this.gate.clock.now());
    });
  }

  range(range: LogRange): Promise<StoredEntry[]> {
    return this.gate.call(() => this.state.queue(range)?.log.range(range) ?? []);
  }

  extent(ref: QueueRef): Promise<{ length: number; first: string | null; last: string | null }> {
    return this.gate.call(() => {
      const log = this.state.queue(ref)?.log;
      return { length: log?.length ?? 0, first: log?.first() ?? null, last: log?.last() ?? null };
    });
  }

  trim(ref: QueueRef, limit: number): Promise<number> {
    return this.gate.call(() => {
      const topic = this.state.topics.get(ref.topic);
      const queue = topic?.queues[ref.queue];
      if (!topic || !queue) return 0;
      const tooOld = `${Math.max(0, this.gate.clock.now() - topic.info.retentionMs)}-0`;
      return queue.log.dropBefore(oldest([tooOld, ...unsettledFrom(topic, queue)]), limit);
    });
  }
}

/** Memory has no disk and no replicas, and nothing it could lose them to: whatever is asked for is reached at once. */
function reachedBy({ acks }: { acks?: AcksWanted | undefined }): { reached?: AcksReached } {
  return acks ? { reached: { disk: acks.disk, replicas: acks.replicas } } : {};
}

/** How many messages `maxLength` leaves room for; halves have theirs. */
export function roomIn(queue: QueueState, { maxLength }: TopicInfo): number {
  if (maxLength === null) return Infinity;
  const halves = [...queue.halves.values()].reduce((sum, { entries }) => sum + entries.length, 0);
  return maxLength - queue.log.length - queue.scheduled.size - halves;
}

/** Append or schedule a message, or leave it out as a duplicate; no limit is looked at. */
export function storeUnlimited(
  queue: QueueState,
  entry: AppendEntry,
  topic: TopicInfo,
  now: number,
): AppendResult {
  return duplicateOf(queue, entry, now) ?? place(queue, entry, topic, now);
}

function duplicateOf(
  queue: QueueState,
  { dedupId }: AppendEntry,
  now: number,
): AppendResult | undefined {
  const known = dedupId === undefined ? undefined : queue.dedup.get(dedupId);
  if (!known || known.until <= now) return undefined;
  return { state: 'duplicate', messageId: known.messageId, offset: known.offset };
}

function place(queue: QueueState, entry: AppendEntry, topic: TopicInfo, now: number): AppendResult {
  const messageId = messageIdOf(entry.frame);
  const dueAt =
    entry.due === undefined ? now : 'at' in entry.due ? entry.due.at : now + entry.due.delayMs;
  const offset = dueAt > now ? null : appendFrame(queue, bytesOf(entry.frame), now);
  if (offset === null)
    queue.scheduled.set(messageId, { messageId, frame: bytesOf(entry.frame), dueAt });
  if (entry.dedupId !== undefined)
    queue.dedup.set(entry.dedupId, { messageId, offset, until: now + topic.dedupWindowMs });
  return offset === null ? { state: 'scheduled', dueAt } : { state: 'stored', offset };
}

/** Make a packed message visible at the end of the queue. */
export function appendFrame(queue: QueueState, frame: Buffer, now: number): string {
  return queue.log.append({ kind: 'message', frame, only: null }, now);
}

/** For each group that settles: the first offset that must stay. A group that was lost keeps all since its start. */
function* unsettledFrom(topic: TopicState, queue: QueueState): Generator<string> {
  for (const { info, starts } of topic.groups.values()) {
    if (info.mode === 'broadcasting') continue;
    const group = queue.groups.get(info.group);
    const position = group?.position ?? starts.get(queue.log.ref.queue) ?? '0-0';
    const [pending] = group?.pending.keys() ?? [];
    const [next] = queue.log.after(position);
    if (pending ?? next) yield pending ?? next!.offset;
  }
}

function oldest(offsets: readonly string[]): string {
  return offsets.reduce((a, b) => (compareOffsets(a, b) <= 0 ? a : b));
}
