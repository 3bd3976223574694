import type { GroupQueue } from '../core/store/delivery-store.js';
import type { Membership } from '../core/store/membership.js';
import type {
  AcquireReply,
  Doorbell,
  HeldEntry,
  HeldLane,
  HeldStep,
  LaneStep,
  LeaseProof,
  LeaseView,
  LoadReply,
  QueueGate,
  QueueLeaseStore,
  ReadReply,
  RenewReply,
  ResumeAction,
  StepReply,
} from '../core/store/queue-lease-store.js';
import type { StoredEntry } from '../core/store/refs.js';
import { compareOffsets } from '../core/message/offset.js';
import { MemoryDoorbell } from './memory-doorbell.js';
import type { MemoryGate } from './memory-gate.js';
import { lookBehind } from './memory-growth.js';
import { MemoryMembership } from './memory-membership.js';
import type { MemoryGroup } from './memory-group.js';
import type { MemoryLanes } from './memory-lanes.js';
import { copyContent } from './memory-queue.js';
import { type MemoryState, ORDERED } from './memory-state.js';

/** Ordered consumption in memory. All steps of a call are tried on a copy of the heads before one counts. */
export class MemoryQueueLeaseStore implements QueueLeaseStore {
  private readonly state: MemoryState;
  private readonly way: MemoryGate;

  constructor(state: MemoryState, gate: MemoryGate) {
    this.state = state;
    this.way = gate;
  }

  roster({ topic, group }: { topic: string; group: string }): Membership {
    return new MemoryMembership(() => this.state.roster(topic, group), this.way);
  }

  openDoorbell(): Doorbell {
    return new MemoryDoorbell({ state: this.state, gate: this.way });
  }

  acquire(ref: GroupQueue, claim: { owner: string; leaseMs: number }): Promise<AcquireReply> {
    return this.way.call(() => {
      this.state.groupOrFault(ref);
      const now = this.way.clock.now();
      const lanes = this.lanes(ref);
      const found = this.lookBehind(ref);
      if ('gate' in found) return { state: 'gated', gate: found.gate };
      lanes.gateIsOpen = true;
      const reply = lanes.acquire({ ...claim, floor: found.token }, now);
      const { owner, until, token } = lanes.lease;
      return reply === 'held'
        ? { state: 'held', owner, leftMs: until - now }
        : { state: 'acquired', fencingToken: token, continued: reply.continued };
    });
  }

  load(
    ref: GroupQueue,
    proof: LeaseProof,
    page: { after: string | null; count: number },
  ): Promise<LoadReply> {
    return this.way.call(() => {
      const group = this.state.groupOrFault(ref);
      const lanes = this.lanes(ref);
      const objection = lanes.objection(proof);
      if (objection) return objection;
      const isFirst = page.after === null;
      if (isFirst) for (const delivery of group.pending.values()) delivery.holder = ORDERED;
      const found = [...group.pending.keys()]
        .filter((offset) => isFirst || compareOffsets(offset, page.after!) > 0)
        .slice(0, page.count);
      const last = found.length < page.count;
      if (last) lanes.lease.loaded = true;
      return {
        state: 'loaded',
        entries: found.map((offset) => group.queue.read(offset)),
        last,
        records: isFirst ? lanes.records(this.way.clock.now()) : [],
        held: isFirst ? lanes.heldLanes() : [],
      };
    });
  }

  read(ref: GroupQueue, proof: LeaseProof, count: number): Promise<ReadReply> {
    return this.way.call(() => {
      const group = this.state.groupOrFault(ref);
      const lanes = this.lanes(ref);
      const objection = lanes.objection(proof);
      if (objection) return objection;
      if (!lanes.lease.loaded) return { state: 'gap' };
      const read = group.readNew(ORDERED, count, this.way.clock.now());
      return {
        state: 'read',
        version: read.length > 0 ? lanes.nextVersion() : lanes.lease.version,
        entries: read.map(({ topic, queue, offset, content }) => ({
          topic,
          queue,
          offset,
          content,
        })),
        position: group.position,
        nudge: lanes.nudge,
      };
    });
  }

  contents(ref: GroupQueue, offsets: readonly string[]): Promise<StoredEntry[]> {
    return this.way.call(() => {
      const { queue } = this.state.groupOrFault(ref);
      return offsets.map((offset) => queue.read(offset));
    });
  }

  step(ref: GroupQueue, proof: LeaseProof, steps: readonly LaneStep[]): Promise<StepReply> {
    return this.change(ref, proof, (lanes, group, now) => {
      const before = new Map(lanes.heads);
      const refuse = (index: number, why: 'order' | 'gone'): StepReply => {
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
        if (step.kind === 'dead-letter')
          this.bury(ref, step.offset, step.note, group.queue.read(step.offset).content);
        if (step.kind === 'dead-letter' || step.kind === 'ack') group.forget(step.offset);
      }
      return undefined;
    });
  }

  hold(
    ref: GroupQueue,
    proof: LeaseProof,
    move: { lane: string; offsets: readonly string[]; park: { note: string } | null },
  ): Promise<StepReply> {
    return this.change(ref, proof, (lanes, group, now) => {
      const { lane, offsets, park } = move;
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
    });
  }

  stepHeld(
    ref: GroupQueue,
    proof: LeaseProof,
    lane: string,
    steps: readonly HeldStep[],
  ): Promise<StepReply> {
    return this.change(ref, proof, (lanes, _group, now) => {
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
        if (step.kind === 'dead-letter') {
          const { content } = gone.find(({ offset }) => offset === step.offset)!;
          this.bury(ref, step.offset, step.note, content);
        }
        if (step.kind === 'park')
          Object.assign(hold!, { state: 'parked', since: now, note: step.note });
      }
      if (hold!.entries.length === 0) lanes.holds.delete(lane);
      return undefined;
    });
  }

  renew(ref: GroupQueue, proof: Omit<LeaseProof, 'version'>, leaseMs: number): Promise<RenewReply> {
    return this.way.call(() => {
      const group = this.state.groupOrFault(ref);
      const lanes = this.lanes(ref);
      if (!lanes.owns(proof)) return { state: 'fenced' };
      Object.assign(lanes.lease, { until: this.way.clock.now() + leaseMs, lasts: leaseMs });
      const all = [...group.pending.values()];
      const strangers = all.filter(({ holder }) => holder !== ORDERED).length;
      return { state: 'renewed', nudge: lanes.nudge, strangers };
    });
  }

  release(
    ref: GroupQueue,
    proof: Omit<LeaseProof, 'version'>,
  ): Promise<'released' | 'busy' | 'fenced'> {
    return this.way.call(() => {
      const lanes = this.lanes(ref);
      if (!lanes.owns(proof)) return 'fenced';
      if ([...lanes.heads.keys()].some((lane) => lanes.head(lane)!.open)) return 'busy';
      lanes.lease.owner = '';
      lanes.lease.until = 0;
      return 'released';
    });
  }

  view(ref: GroupQueue): Promise<LeaseView> {
    return this.way.call(() => {
      const { owner, until } = this.lanes(ref).lease;
      const leftMs = until - this.way.clock.now();
      return owner === '' || leftMs <= 0 ? { owner: null, leftMs: 0 } : { owner, leftMs };
    });
  }

  rewind(ref: GroupQueue, behind: string): Promise<boolean> {
    return this.way.call(() => {
      const queue = this.state.queue(ref);
      if (!queue?.groups.has(ref.group)) return false;
      const start = this.state.restart(ref, behind);
      this.lanes(ref).rewind({ start, oldest: queue.log.first() }, this.way.clock.now());
      this.state.changed();
      return true;
    });
  }

  gate(ref: GroupQueue): Promise<QueueGate | undefined> {
    return this.way.call(() => {
      const found = this.lookBehind(ref);
      return 'gate' in found ? found.gate : undefined;
    });
  }

  heldLanes(ref: GroupQueue): Promise<HeldLane[]> {
    return this.way.call(() => this.lanes(ref).heldLanes());
  }

  heldEntries(
    ref: GroupQueue,
    lane: string,
    page: { from: number; count: number },
  ): Promise<HeldEntry[]> {
    return this.way.call(() =>
      (this.lanes(ref).holds.get(lane)?.entries ?? [])
        .slice(page.from, page.from + page.count)
        .map((entry) => ({ ...entry, content: copyContent(entry.content) })),
    );
  }

  resume(
    ref: GroupQueue,
    lane: string,
    { action, note }: { action: ResumeAction; note: string },
  ): Promise<boolean> {
    return this.way.call(() => {
      const lanes = this.lanes(ref);
      const hold = lanes.holds.get(lane);
      if (hold?.state !== 'parked') return false;
      Object.assign(hold, { state: 'open', note: '' });
      const [head] = action === 'retry' ? [] : hold.entries.splice(0, 1);
      if (head && action === 'dead-letter') this.bury(ref, head.offset, note, head.content);
      if (hold.entries.length === 0) lanes.holds.delete(lane);
      lanes.nudge += 1;
      return true;
    });
  }

  /** The last token where the message groups were before the topic grew, or what is left there. */
  private lookBehind(ref: GroupQueue): { token: number } | { gate: QueueGate } {
    const child = this.state.queue(ref)!;
    const { parent } = child.growth;
    if (!parent || this.lanes(ref).gateIsOpen) return { token: 0 };
    const behind = this.state.queue({ ...ref, queue: parent.queue })!;
    return lookBehind({ parent: behind, child }, ref.group);
  }

  private lanes(ref: GroupQueue): MemoryLanes {
    return this.state.lanes(ref);
  }

  /** `act` answers what speaks against it, having changed nothing. */
  private change(
    ref: GroupQueue,
    proof: LeaseProof,
    act: (lanes: MemoryLanes, group: MemoryGroup, now: number) => StepReply | undefined,
  ): Promise<StepReply> {
    return this.way.call(() => {
      const group = this.state.groupOrFault(ref);
      const lanes = this.lanes(ref);
      const refusal = lanes.objection(proof) ?? act(lanes, group, this.way.clock.now());
      return refusal ?? { state: 'done', version: lanes.nextVersion(), nudge: lanes.nudge };
    });
  }

  private bury(ref: GroupQueue, offset: string, note: string, content: HeldEntry['content']): void {
    const letter = { ...ref, offset, note, content: copyContent(content) };
    this.state.queue(ref)!.deadLettersOf(ref.group).add(letter, this.way.clock.now());
  }
}
