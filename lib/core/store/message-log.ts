import type { Frame } from '../message/frame.js';
import type { WhenFull } from '../message/topic.js';
import type { QueueRef, StoredEntry } from './refs.js';

/**
 * A run of messages for one queue, numbered so that the store can tell a repeat from news.
 *
 * `session` is random per producer. Within one `epoch` calls are numbered 1, 2, 3 … per queue.
 */
export interface AppendCall extends QueueRef {
  /** Default: the memory of the one server that took it. */
  acks?: AcksWanted | undefined;
  generation: number;
  session: string;
  epoch: number;
  number: number;
  entries: readonly AppendEntry[];
}

/** How far a call is stored beyond the memory of the server that took it. */
export interface AcksReached {
  readonly disk: boolean;
  readonly replicas: number;
  /** How many replicas the server had, where they were too few. */
  readonly connected?: number;
}

/** How far it has to be before it is answered. The answer says how far it came within `timeoutMs`. */
export interface AcksWanted {
  readonly disk: boolean;
  readonly replicas: number;
  readonly timeoutMs: number;
}

/** The word for "this server cannot tell what is on its disk": `acks` was asked for, and nothing was stored. */
export const NO_DISK_ACKS = 'NO_DISK_ACKS';

export interface AppendEntry {
  /** The packed message (`encodeFrame`, `jsonFrame`). */
  frame: Frame;
  /** Undefined: visible at once. A time that has passed by the store's clock means at once, too. */
  due?: { delayMs: number } | { at: number } | undefined;
  dedupId?: string | undefined;
}

export type AppendResult =
  | { state: 'stored'; offset: string }
  | { state: 'scheduled'; dueAt: number }
  /** An earlier message had the same dedup id: its id, and its offset if it was visible when it was stored. */
  | { state: 'duplicate'; messageId: string; offset: string | null };

export type AppendReply =
  /** One result per entry, in order; `repeat` when this call had been carried out before. */
  | {
      state: 'appended';
      results: AppendResult[];
      repeat: boolean;
      /** Only when `acks` were wanted. */
      reached?: AcksReached | undefined;
    }
  /** `maxLength` leaves room for `room` of these only. Nothing changed, and the number is free to be used again. */
  | { state: 'full'; room: number; whenFull: WhenFull }
  /** An earlier call of this epoch has not arrived; nothing changed. */
  | { state: 'gap' }
  /** A newer epoch has begun; nothing changed, and this call never will change anything. */
  | { state: 'fenced' }
  /** The store does not know this session and the call is not its first: `reopen`. Nothing changed. */
  | { state: 'new-session' }
  /** The topic has another generation (0: no such queue): look it up again. Nothing changed. */
  | { state: 'moved'; generation: number };

export interface ReopenCall extends QueueRef {
  session: string;
  /** The new epoch: larger than every one before. */
  epoch: number;
  /** Calls whose fate is asked for. */
  asked: readonly { epoch: number; number: number }[];
  /** As of an append: for what the asked calls stored. */
  acks?: AcksWanted | undefined;
}

export type ReopenReply =
  /**
   * For each asked call its results; `never`: it was not carried out and never will be; `not-here`: nor will it be here, but
   * another server, or this one before a restart, may have carried it out and shown it to consumers.
   */
  | {
      state: 'open';
      answers: (AppendResult[] | 'never' | 'not-here')[];
      reached?: AcksReached | undefined;
    }
  /** Nothing is known about the session (never used, swept, or lost by the store). It is open in the new epoch. */
  | { state: 'new-session' };

export interface LogRange extends QueueRef {
  /** First offset, inclusive; '-' for the oldest. */
  from: string;
  /** Last offset, inclusive; '+' for the newest. */
  to: string;
  count: number;
  reverse?: boolean;
}

/** Where a reader stands in a queue: it has seen everything up to `after`. `0-0` is before everything. */
export interface LogPosition extends QueueRef {
  readonly after: string;
}

/** Reads without a group: for whoever wants every message and keeps its own place. */
export interface LogReader {
  /**
   * Entries behind each position in order, at most `perQueue` from each queue. Waits up to `blockMs` when there is none
   * (0: does not wait). A queue that does not exist (yet) is empty.
   *
   * Safe to repeat: reading changes nothing. What was trimmed meanwhile is passed over.
   *
   * @throws QueueFaultedError one queue cannot be read. Others may be.
   */
  read(request: {
    positions: readonly LogPosition[];
    perQueue: number;
    blockMs: number;
    signal: AbortSignal;
  }): Promise<StoredEntry[]>;

  /** Ends a waiting read. Nothing can be read afterwards. */
  close(): Promise<void>;
}

/** The queues of the topics: where messages are stored and stay until they are trimmed. */
export interface MessageLog {
  /**
   * Store a run of messages, in order, all of them in one atomic step.
   *
   * Safe to repeat with the same session, epoch and number: the answer is that of the first time. The store keeps
   * the answers of the last five calls of a session (as Kafka's broker does), so at most five may be in flight; an
   * older repeat is refused as unknown. A repeat is answered also when the topic has changed since.
   *
   * @throws StoreRefusedError nothing was stored, and the number is free to be used again. With reason `NO_DISK_ACKS` only
   *   `acks.disk` stood in the way.
   * @throws StoreUnavailableError it is not known whether it was stored: `reopen` tells.
   */
  append(call: AppendCall): Promise<AppendReply>;

  /** Begin a new epoch, which fences every older call, and tell what became of some. Safe to repeat. */
  reopen(call: ReopenCall): Promise<ReopenReply>;

  openReader(): LogReader;

  /**
   * Drop the oldest messages of a full queue: of `settled` ones, only those that every group has settled (of a topic
   * without groups, none); of the `oldest`, any: each group that had not settled one gets it as a dead letter in the
   * same step. What an ordered group has in hand stays, and all behind it.
   *
   * @param room.note JSON of the dead letters' note, an object without `attempts` and `history`, which are added.
   * @returns how many messages were dropped, at most `count`, and how many dead letters that made.
   */
  makeRoom(
    ref: QueueRef,
    room: { count: number; drop: 'settled' | 'oldest'; note: string },
  ): Promise<{ dropped: number; deadLetters: number }>;

  /** Entries in order of their offsets. */
  range(range: LogRange): Promise<StoredEntry[]>;

  /** Number of visible messages, and the oldest and newest offset (null when empty). */
  extent(ref: QueueRef): Promise<{ length: number; first: string | null; last: string | null }>;

  /**
   * Drop messages older than the topic's retention, never one that a group has not settled.
   *
   * Removes at most about `limit` per call.
   *
   * @returns the number removed.
   */
  trim(ref: QueueRef, limit: number): Promise<number>;
}
