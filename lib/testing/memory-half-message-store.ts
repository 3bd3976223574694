import { mintedAt } from '../core/message/message-id.js';
import type { Agenda } from '../core/store/agenda.js';
import type {
  ClaimedHalves,
  ExtendReply,
  HalfCall,
  HalfMessages,
  HalfMessageStore,
  HalfQueue,
  HalfView,
  Placement,
  PrepareReply,
  PublishReply,
  Resolved,
  ResolveReply,
  TransactionId,
} from '../core/store/half-message-store.js';
import type { QueueRef } from '../core/store/refs.js';
import type { WhenFull } from '../core/store/topic-registry.js';
import { MemoryAgenda } from './memory-agenda.js';
import type { MemoryGate } from './memory-gate.js';
import { roomIn, storeUnlimited } from './memory-message-log.js';
import { claimed, newHalf, type MemoryHalf, viewOf } from './memory-half.js';
import type { MemoryState, QueueState, TopicState } from './memory-state.js';

const REMEMBERED_MS = 24 * 3_600_000;

interface Place {
  ref: QueueRef;
  topic: TopicState;
  queue: QueueState;
  now: number;
}

export class MemoryHalfMessageStore implements HalfMessageStore {
  private readonly state: MemoryState;
  private readonly gate: MemoryGate;

  constructor(state: MemoryState, gate: MemoryGate) {
    this.state = state;
    this.gate = gate;
  }

  prepare(call: HalfCall): Promise<PrepareReply[]> {
    return this.gate.call(() =>
      call.halves.map(({ id, ...half }): PrepareReply => {
        const ended = this.resolved(call, id);
        if (ended) return { id, ...ended };
        const place = this.place(call);
        if (!place) return { id, state: 'moved', generation: 0 };
        const { queue, topic, now } = place;
        if (queue.halves.has(id)) return { id, state: 'prepared' };
        const { generation } = topic.info;
        if (generation !== call.generation) return { id, state: 'moved', generation };
        const full = fullFor(half, place);
        if (full) return { id, ...full };
        const checkAt = queue.steady.note(now) + half.checkAfterMs;
        queue.halves.set(id, newHalf({ id, ...half }, { owner: call.owner, now, checkAt }));
        return { id, state: 'prepared' };
      }),
    );
  }

  commit(ref: HalfQueue, ids: readonly TransactionId[]): Promise<ResolveReply[]> {
    return this.gate.call(() =>
      ids.map((id): ResolveReply => {
        const ended = this.resolved(ref, id);
        if (ended) return { id, ...ended };
        const place = this.place(ref);
        const half = place?.queue.halves.get(id);
        if (!place || !half) return { id, state: 'unknown' };
        return { id, ...this.append(place, half) };
      }),
    );
  }

  rollback(
    ref: HalfQueue,
    ids: readonly TransactionId[],
  ): Promise<({ id: TransactionId } & Resolved)[]> {
    return this.gate.call(() =>
      ids.map((id) => {
        const ended = this.resolved(ref, id);
        if (ended) return { id, ...ended };
        this.state.queue(ref)?.halves.delete(id);
        return { id, ...this.remember(ref, id, { state: 'rolled-back' }) };
      }),
    );
  }

  publish(call: HalfCall): Promise<PublishReply[]> {
    return this.gate.call(() =>
      call.halves.map((half): PublishReply => {
        const { id } = half;
        const ended = this.resolved(call, id);
        if (ended) return { id, ...this.remember(call, id, ended) };
        const place = this.place(call);
        if (!place) return { id, state: 'moved', generation: 0 };
        const { queue, topic } = place;
        if (!queue.halves.has(id)) {
          const { generation } = topic.info;
          if (generation !== call.generation) return { id, state: 'moved', generation };
          const full = fullFor(half, place);
          if (full) return { id, ...full };
        }
        return { id, ...this.append(place, half) };
      }),
    );
  }

  placeOnce(
    topic: string,
    id: TransactionId,
    { generation, queues }: Placement,
  ): Promise<Placement & { isNew: boolean }> {
    return this.gate.call(() => {
      const { placements } = this.state;
      const now = this.gate.clock.now();
      const key = `${topic}/${id}`;
      const known = placements.get(key);
      const isNew = !known || known.until <= now;
      const said = isNew ? { generation, queues } : known;
      placements.set(key, { ...said, until: now + REMEMBERED_MS });
      return { generation: said.generation, queues: said.queues, isNew };
    });
  }

  extend(
    ref: HalfQueue,
    items: readonly { id: TransactionId; afterMs: number; answered: boolean }[],
  ): Promise<ExtendReply[]> {
    return this.change(ref, items, (half, { afterMs, answered }, now) => {
      if (half.parked !== null) return 'parked';
      half.checkAt = now + afterMs;
      if (answered) half.checks += 1;
      return 'extended';
    });
  }

  claimDue(
    ref: HalfQueue,
    claim: { limit: number; leaseMs: number; frames: boolean },
  ): Promise<ClaimedHalves> {
    return this.gate.call(() => {
      const now = this.gate.clock.now();
      const mine = this.waiting(ref);
      const clock = this.state.queue(ref)?.steady;
      const steady = clock?.at(now) ?? now;
      const due = mine.filter(({ checkAt }) => checkAt <= steady).slice(0, claim.limit);
      if (due.length > 0) clock?.note(now);
      for (const half of due) half.checkAt = steady + claim.leaseMs;
      const halves = due.map((half) => claimed(half, claim));
      const times = mine.map(({ checkAt }) => checkAt);
      const nextCheckAt = times.length > 0 ? Math.min(...times) - steady + now : null;
      return { now, halves, unreadable: [], nextCheckAt, waiting: mine.length };
    });
  }

  park(
    ref: HalfQueue,
    items: readonly { id: TransactionId; reason: string }[],
  ): Promise<ExtendReply[]> {
    return this.change(ref, items, (half, { reason }) => {
      half.parked ??= reason;
      return 'parked';
    });
  }

  unpark(ref: HalfQueue, ids: readonly TransactionId[]): Promise<ExtendReply[]> {
    const items = ids.map((id) => ({ id }));
    return this.change(ref, items, (half, _item, now) => {
      Object.assign(half, { parked: null, checks: 0, checkAt: now });
      return 'extended';
    });
  }

  oldest(ref: HalfQueue): Promise<number | null> {
    return this.gate.call(() => {
      const [first] = this.waiting(ref)
        .map(({ id }) => id)
        .sort();
      return first === undefined ? null : mintedAt(first);
    });
  }

  list(ref: QueueRef, page: { after?: TransactionId; count: number }): Promise<HalfView[]> {
    return this.gate.call(() =>
      [...(this.state.queue(ref)?.halves.values() ?? [])]
        .sort((a, b) => (a.id < b.id ? -1 : 1))
        .filter(({ id }) => page.after === undefined || id > page.after)
        .slice(0, page.count)
        .map((half) => viewOf(ref, half)),
    );
  }

  find(ref: QueueRef, id: TransactionId): Promise<HalfView | undefined> {
    return this.gate.call(() => {
      const half = this.state.queue(ref)?.halves.get(id);
      return half && viewOf(ref, half);
    });
  }

  count(ref: QueueRef): Promise<{ waiting: number; parked: number }> {
    return this.gate.call(() => {
      const halves = [...(this.state.queue(ref)?.halves.values() ?? [])];
      const parked = halves.filter((half) => half.parked !== null).length;
      return { waiting: halves.length - parked, parked };
    });
  }

  agenda(board: string): Agenda {
    return new MemoryAgenda(this.state, this.gate, this.state.halfAgenda(board));
  }

  private place(ref: QueueRef): Place | undefined {
    const topic = this.state.topics.get(ref.topic);
    const queue = topic?.queues[ref.queue];
    return topic && queue && { ref, topic, queue, now: this.gate.clock.now() };
  }

  private resolved(ref: QueueRef, id: TransactionId): Resolved | undefined {
    const known = this.state.ends.get(endOf(ref, id));
    if (!known || known.until <= this.gate.clock.now()) return undefined;
    const { until: _until, ...ended } = known;
    return ended;
  }

  private remember<End extends Resolved>(ref: QueueRef, id: TransactionId, ended: End): End {
    const until = this.gate.clock.now() + REMEMBERED_MS;
    this.state.ends.set(endOf(ref, id), { ...ended, until });
    return ended;
  }

  private append(place: Place, { id, entries }: Pick<HalfMessages, 'id' | 'entries'>): Resolved {
    const { ref, queue, topic, now } = place;
    queue.halves.delete(id);
    const results = entries.map((entry) => storeUnlimited(queue, entry, topic.info, now));
    this.state.changed();
    return this.remember(ref, id, { state: 'committed', results });
  }

  /** Halves of this owner that are not parked, longest due first. */
  private waiting(ref: HalfQueue): MemoryHalf[] {
    return [...(this.state.queue(ref)?.halves.values() ?? [])]
      .filter(({ owner, parked }) => owner === ref.owner && parked === null)
      .sort((a, b) => a.checkAt - b.checkAt || (a.id < b.id ? -1 : 1));
  }

  private change<I extends { id: TransactionId }>(
    ref: HalfQueue,
    items: readonly I[],
    act: (half: MemoryHalf, item: I, now: number) => 'extended' | 'parked',
  ): Promise<ExtendReply[]> {
    return this.gate.call(() =>
      items.map((item): ExtendReply => {
        const { id } = item;
        const ended = this.resolved(ref, id);
        if (ended) return { id, ...ended };
        const place = this.place(ref);
        const half = place?.queue.halves.get(id);
        if (!place || !half) return { id, state: 'unknown' };
        return { id, state: act(half, item, place.queue.steady.note(place.now)) };
      }),
    );
  }
}

function endOf({ topic, queue }: QueueRef, id: TransactionId): string {
  return `${topic}/${queue}/${id}`;
}

function fullFor(
  { entries }: Pick<HalfMessages, 'entries'>,
  { queue, topic }: Place,
): { state: 'full'; room: number; whenFull: WhenFull } | undefined {
  const room = roomIn(queue, topic.info);
  if (entries.length <= room) return undefined;
  return { state: 'full', room: Math.max(0, room), whenFull: topic.info.whenFull };
}
