import type { GroupQueue } from './delivery-store.js';
import type { Membership } from './membership.js';
import type { LogPosition } from './message-log.js';
import type { StoredEntry } from './refs.js';

/**
 * What an owner must know to change anything: its name, the fencing token of its ownership, and how many changes the
 * store has made for it. A call that another owner has overtaken finds another token; a call whose predecessor got
 * lost, and a store that went back to an older state, find another version.
 */
export interface LeaseProof {
  /** New with each start of a process. */
  readonly owner: string;
  /** Grows with every acquisition, also by the same owner. */
  readonly fencingToken: number;
  readonly version: number;
}

/**
 * `fenced`: somebody else owns the queue, or nobody does. `gap`: the owner and the store disagree about what was
 * done. Nothing changed either way; after `gap` acquire and load again.
 */
export type NotYours = { state: 'fenced' } | { state: 'gap' };

export type AcquireReply =
  /** `continued`: nobody else owned it since this owner last did. The version is 0. */
  | { state: 'acquired'; fencingToken: number; continued: boolean }
  | { state: 'held'; owner: string; leftMs: number }
  /** The topic grew, and what its message groups left behind is not settled yet. */
  | { state: 'gated'; gate: QueueGate };

/** What an ordered group has to settle before it may read a queue that was added to its topic. */
export interface QueueGate {
  /** The queue in which the message groups were before. */
  readonly behind: number;
  /**
   * What is there yet, of what was sent before the topic grew. `scheduled`: delayed messages with a message group. `half`:
   * a transaction that is not decided. `parked`: lanes that wait for the operator. `unread`, `unsettled`: the group is at
   * work. `gated`: that queue waits for another one itself.
   */
  readonly waitsFor: 'unread' | 'unsettled' | 'parked' | 'scheduled' | 'half' | 'gated';
  /** Whose messages these are, as far as that is known: a hundred at most. */
  readonly messageGroups: readonly string[];
}

/** The head of a lane that was started before. */
export interface LaneRecord {
  readonly lane: string;
  readonly offset: string;
  /** The delivery attempt of its next start, from 1; the same as last time if that is under way in the owner's hands. */
  readonly attempt: number;
  /** The owner started it and has not settled it. */
  readonly open: boolean;
  /** It was in hand when an owner crashed, perhaps as the cause: run it alone. */
  readonly suspect: boolean;
  /** When it may start, in milliseconds from now; 0 for at once. */
  readonly leftMs: number;
  readonly history: string;
}

/** A lane whose messages were moved out of the pending list, to stay in order without being in the way. */
export interface HeldLane {
  readonly lane: string;
  /** `parked`: waits for the operator. `open`: runs from what is held. */
  readonly state: 'parked' | 'open';
  /** Offset of the first message that was held. Deliveries before it run first. */
  readonly from: string;
  /** Messages held. */
  readonly count: number;
  /** Unix ms by the store's clock. */
  readonly since: number;
  /** Why it is parked, as `park` was given it; empty when it is open. */
  readonly note: string;
}

/** A message of a held lane; `offset` says where it stood in the queue. */
export type HeldEntry = StoredEntry;

export type LoadReply =
  | {
      state: 'loaded';
      /** Deliveries that are not settled, in order of their offsets. */
      entries: StoredEntry[];
      /** Nothing is behind these: reading may begin. */
      last: boolean;
      /** With the first page only. */
      records: LaneRecord[];
      held: HeldLane[];
    }
  /**
   * A stranger had read some of it, which is in the hands of the group's owner now. These offsets were not in the log any more and
   * are not pending either: no other reply will tell of them. Ask for the first page again.
   */
  | { state: 'again'; lost: string[] }
  | NotYours;

export type ReadReply =
  | {
      state: 'read';
      version: number;
      entries: StoredEntry[];
      /** Everything up to here was handed out. */
      position: string;
      /** Grows when an operator changed something about held lanes. */
      nudge: number;
    }
  | NotYours;

/** One change to the head of a lane. What never reaches a handler is settled without a start. */
export type HeadStep = { readonly offset: string } & (
  | { kind: 'begin'; /** Nothing else of the subscription runs. */ alone: boolean }
  | { kind: 'ack' }
  /** It stays the head and waits; `counted`: that was an attempt. */
  | { kind: 'retry'; delayMs: number; history: string; counted: boolean }
  /** Keep a copy with `note` among the dead letters of the group; the lane goes on. */
  | { kind: 'dead-letter'; note: string }
);

/** A change to a lane whose head stands in the queue. */
export type LaneStep = HeadStep & { readonly lane: string };

/** A change to a lane that runs from what it holds. `park`: it stops until the operator resumes it. */
export type HeldStep = HeadStep | { readonly offset: string; kind: 'park'; note: string };

export type StepReply =
  | { state: 'done'; version: number; nudge: number }
  /** Step `index` cannot be meant: another message comes first (`order`), or it is not there (`gone`). Nothing changed. */
  | { state: 'refused'; index: number; why: 'order' | 'gone' }
  | NotYours;

export type RenewReply =
  | {
      state: 'renewed';
      nudge: number;
      /** Deliveries in the hands of somebody who is no owner: read behind our back. Acquire and load again. */
      strangers: number;
    }
  | { state: 'fenced' };

/** Lease of a queue as anybody may see it. */
export interface LeaseView {
  /** Null when nobody owns it, or the lease has expired. */
  readonly owner: string | null;
  readonly leftMs: number;
}

export type ResumeAction = 'retry' | 'dead-letter' | 'skip';

/** Tells when a queue has something to read, whichever topic it is of. */
export interface Doorbell {
  /** Those of the positions behind which something stands; none once `blockMs` passed or the signal aborts. */
  wait(request: {
    positions: readonly LogPosition[];
    blockMs: number;
    signal: AbortSignal;
  }): Promise<LogPosition[]>;

  /** Ends a waiting call. */
  close(): Promise<void>;
}

/**
 * Ordered consumption: a queue has one owner at a time in a consumer group, and what the owner does counts only while
 * the store agrees that it is the owner and has done exactly what the owner believes.
 *
 * A lane is the run of one message group. Its head is started by a record in the store and settled before the next
 * one starts; the store refuses a second head. Deliveries stay at their offsets until they are settled or held.
 */
export interface QueueLeaseStore {
  /** Members of an ordered group: processes that want a share of its queues. */
  roster(group: { topic: string; group: string }): Membership;

  /**
   * Become the owner for `leaseMs`, unless somebody else is. Safe to repeat: each time with a larger fencing token.
   *
   * A start that another owner left open is cut off: it does not count unless the message ran alone. The token is larger
   * than those of the queue in which message groups of this one were before.
   *
   * @throws QueueFaultedError when the group is gone there.
   */
  acquire(ref: GroupQueue, claim: { owner: string; leaseMs: number }): Promise<AcquireReply>;

  /** What is not settled, page by page: `after` is the last offset of the page before, null for the first. */
  load(
    ref: GroupQueue,
    proof: LeaseProof,
    page: { after: string | null; count: number },
  ): Promise<LoadReply>;

  /** What nobody was given before, at most `count`. Refused (`gap`) before everything is loaded. */
  read(ref: GroupQueue, proof: LeaseProof, count: number): Promise<ReadReply>;

  /** What stands at these offsets, at most 1 000, in their order; `gone` where nothing does. Nobody need own the queue. */
  contents(ref: GroupQueue, offsets: readonly string[]): Promise<StoredEntry[]>;

  /** All steps or none, in their order. Works when the store is out of memory, copies need a little. */
  step(ref: GroupQueue, proof: LeaseProof, steps: readonly LaneStep[]): Promise<StepReply>;

  /**
   * Move deliveries of one lane, in their order, at most 1 000, out of the pending list and behind what the lane
   * holds. With `park`, all deliveries of the lane from its head on, in front of what it holds: it then waits for the
   * operator. A lane that held nothing and is not parked is open.
   */
  hold(
    ref: GroupQueue,
    proof: LeaseProof,
    move: { lane: string; offsets: readonly string[]; park: { note: string } | null },
  ): Promise<StepReply>;

  /** As `step`, for the first of what an open lane holds. The lane is like any other once it holds nothing. */
  stepHeld(
    ref: GroupQueue,
    proof: LeaseProof,
    lane: string,
    steps: readonly HeldStep[],
  ): Promise<StepReply>;

  /** Own it for another `leaseMs`, also when the lease has expired and nobody took it. */
  renew(ref: GroupQueue, proof: Omit<LeaseProof, 'version'>, leaseMs: number): Promise<RenewReply>;

  /** Own it no longer. @returns `busy` while a start is open: nothing changed. */
  release(
    ref: GroupQueue,
    proof: Omit<LeaseProof, 'version'>,
  ): Promise<'released' | 'busy' | 'fenced'>;

  view(ref: GroupQueue): Promise<LeaseView>;

  /**
   * Move the group to another place in the queue: every message behind `behind` (an offset, or `latest`) is handed out as
   * if for the first time, none before it. Whoever owned the queue does so no longer, and nothing of it counts. Parked lanes
   * go on; of what lanes hold, only what is behind the place and not in the log any more stays, in front of all else.
   * Dead letters stay. A queue that was added to its topic waits again for the one where its message groups were before:
   * move that one first. Safe to repeat.
   *
   * @returns false when there is no such group; nothing changed.
   */
  rewind(ref: GroupQueue, behind: string): Promise<boolean>;

  /** What keeps the group from reading the queue; undefined when nothing does. */
  gate(ref: GroupQueue): Promise<QueueGate | undefined>;

  openDoorbell(): Doorbell;

  /** Lanes that hold messages, parked or not. */
  heldLanes(ref: GroupQueue): Promise<HeldLane[]>;

  /** In order; `from` counts from 0. */
  heldEntries(
    ref: GroupQueue,
    lane: string,
    page: { from: number; count: number },
  ): Promise<HeldEntry[]>;

  /**
   * Let a parked lane go on: with another run of its head, with the head among the dead letters, or without it. Attempts
   * begin anew. The dead letter has the note with which the lane was parked; `note` if there is none.
   *
   * Safe to repeat. @returns false when the lane is not parked; nothing changed.
   */
  resume(
    ref: GroupQueue,
    lane: string,
    resumption: { action: ResumeAction; note: string },
  ): Promise<boolean>;
}
