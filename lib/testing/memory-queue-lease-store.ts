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
import {
  holdLane,
  type HoldMove,
  type OwnedQueue,
  type Refused,
  stepHeldLane,
  stepLanes,
} from './memory-lane-changes.js';
import type { MemoryLanes } from './memory-lanes.js';
import { copyContent } from './memory-queue.js';
import { type MemoryState, ORDERED } from './memory-state.js';

/** Ordered consumption in memory: whose a queue is, and what its owner reads and changes. */
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
    return this.change(ref, proof, (queue) => stepLanes(queue, steps));
  }

  hold(ref: GroupQueue, proof: LeaseProof, move: HoldMove): Promise<StepReply> {
    return this.change(ref, proof, (queue) => holdLane(queue, move));
  }

  stepHeld(
    ref: GroupQueue,
    proof: LeaseProof,
    lane: string,
    steps: readonly HeldStep[],
  ): Promise<StepReply> {
    return this.change(ref, proof, (queue) => stepHeldLane(queue, lane, steps));
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
      const why = hold.note || note;
      Object.assign(hold, { state: 'open', note: '' });
      const [head] = action === 'retry' ? [] : hold.entries.splice(0, 1);
      if (head && action === 'dead-letter') this.bury(ref, head, why);
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

  private change(
    ref: GroupQueue,
    proof: LeaseProof,
    act: (queue: OwnedQueue) => Refused | undefined,
  ): Promise<StepReply> {
    return this.way.call(() => {
      const group = this.state.groupOrFault(ref);
      const lanes = this.lanes(ref);
      const bury: OwnedQueue['bury'] = (entry, note) => this.bury(ref, entry, note);
      const queue = { lanes, group, now: this.way.clock.now(), bury };
      const refusal = lanes.objection(proof) ?? act(queue);
      return refusal ?? { state: 'done', version: lanes.nextVersion(), nudge: lanes.nudge };
    });
  }

  private bury(ref: GroupQueue, { offset, content }: StoredEntry, note: string): void {
    const letter = { ...ref, offset, note, content: copyContent(content) };
    this.state.queue(ref)!.deadLettersOf(ref.group).add(letter, this.way.clock.now());
  }
}
