import type { QueueRef } from '../store/refs.js';

/** Who can say what became of a transaction. */
export type HalfOwner =
  /** The database itself (`participant.identity()`): any process that has it can ask, whatever it calls it. */
  | { readonly kind: 'database'; readonly database: string; readonly name: string }
  /** A check method: any process of the producer group that has it. */
  | { readonly kind: 'method'; readonly group: string; readonly name: string }
  /** All sets of messages: the queue that decides stands in the half, as its name. Any process can ask it. */
  | { readonly kind: 'set'; readonly name: string };

export const SETS: HalfOwner = { kind: 'set', name: 'sendAll' };
export const SETS_KEY = 's:sets';

/** The queue that decides a set, as the name of its halves. */
export function decidedIn({ topic, queue }: QueueRef): string {
  return `${topic}/${queue}`;
}

export function decidingQueue(name: string): QueueRef {
  const [topic = '', queue] = name.split('/');
  return { topic, queue: Number(queue) };
}

/** One text for each owner, without '/'. */
export function ownerKey(owner: HalfOwner): string {
  if (owner.kind === 'set') return SETS_KEY;
  return owner.kind === 'database'
    ? `d:${encodeURIComponent(owner.database)}`
    : `m:${encodeURIComponent(owner.group)}:${encodeURIComponent(owner.name)}`;
}

/** Who would have to be there to decide halves of this owner: for people. */
export function answererOf(owner: string): string {
  const [kind, first = '', name = ''] = owner.split(':').map(decoded);
  if (kind === 'd') return `its database (${first})`;
  if (kind === 'm') return `@TransactionCheck('${name}') in producer group "${first}"`;
  return 'the means to tell';
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // Nobody's key, which somebody wrote into the store.
    return text;
  }
}

/** Owners on one board are looked after together: a database, or all check methods of a producer group. */
export function boardOf(owner: HalfOwner): string {
  return boardOfKey(ownerKey(owner));
}

/** The board of an owner that is known by its key only. */
export function boardOfKey(owner: string): string {
  return owner.split(':', 2).join(':');
}

/** A queue that may hold halves of an owner, as its agenda knows it. */
export function checkWork(owner: string, { topic, queue }: QueueRef): string {
  return `${owner}/${topic}/${queue}`;
}

/** Undefined for what a newer library noted. */
export function readCheckWork(work: string): (QueueRef & { owner: string }) | undefined {
  const [owner, topic, queue, ...more] = work.split('/');
  if (!owner || !topic || !queue || more.length > 0) return undefined;
  return { owner, topic, queue: Number(queue) };
}
