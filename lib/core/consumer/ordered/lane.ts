import type { DeliveredEntry } from '../../store/delivery-store.js';
import type { LaneRecord } from '../../store/queue-lease-store.js';
import type { StoredEntry } from '../../store/refs.js';

/** The message of a lane that is next, or under way; `attempt` is that of its next start. */
export interface Head extends DeliveredEntry {
  /** It stands among what the lane holds, not in the pending list. */
  readonly held: boolean;
}

/** What the store holds of a lane. */
export interface Hold {
  parked: boolean;
  /** Offset of the first message held: deliveries before it run first. */
  from: string;
  count: number;
  /** Read from the front of what is held, in order. */
  peeked: StoredEntry[];
  /** Deliveries that are to be moved behind it. */
  arriving: StoredEntry[];
  /** Steps over what is held that the store has not confirmed. */
  unconfirmed: number;
}

export interface Lane {
  readonly name: string;
  /**
   * `ready`: its head may start. `busy`: its head is under way. `waiting`: its head waits for its next attempt.
   * `blocked`: a handler that no longer counts still runs. `absent`: its head may start once it is in memory again.
   * `idle`: nothing can start.
   */
  state: 'idle' | 'ready' | 'busy' | 'waiting' | 'blocked' | 'absent';
  head: Head | undefined;
  followers: StoredEntry[];
  /** Of the followers. */
  bytes: number;
  hold: Hold | undefined;
  /** What the store knows of a head that was started before. */
  record: LaneRecord | undefined;
}

export function headOf({ record }: Lane, entry: StoredEntry, held: boolean): Head {
  const known = record?.offset === entry.offset ? record : undefined;
  // Spelled out: copying the entry took longer than all else about it.
  return {
    topic: entry.topic,
    queue: entry.queue,
    offset: entry.offset,
    content: entry.content,
    deliveryCount: 1,
    attempt: known?.attempt ?? 1,
    suspect: known?.suspect ?? false,
    history: known?.history ?? '',
    held,
  };
}

/** No message of it is under way. */
export function rest(lane: Lane): void {
  lane.head = undefined;
  lane.record = undefined;
  lane.state = 'idle';
}

/** Nothing is known of it but its name. */
export function hasNothing({ state, head, followers, hold, record }: Lane): boolean {
  return state === 'idle' && !head && !hold && !record && followers.length === 0;
}

/** A list that begins with a message takes room for one; one that grows, for seventeen, and most lanes have one. */
export function follow(lane: Lane, entry: StoredEntry): void {
  if (lane.followers.length === 0) lane.followers = [entry];
  else lane.followers.push(entry);
}

export function newHold(from: string): Hold {
  return { parked: false, from, count: 0, peeked: [], arriving: [], unconfirmed: 0 };
}

export function newLane(name: string): Lane {
  const nothing = { head: undefined, hold: undefined, record: undefined };
  return { name, state: 'idle', followers: [], bytes: 0, ...nothing };
}
