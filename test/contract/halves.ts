import { randomBytes } from 'node:crypto';
import { formatMessageId } from '../../lib/core/message/message-id.js';
import type {
  HalfCall,
  HalfMessages,
  HalfQueue,
  PrepareReply,
  ResolveReply,
} from '../../lib/core/store/half-message-store.js';
import type { AppendEntry } from '../../lib/core/store/message-log.js';
import type { Stores } from '../../lib/core/store/stores.js';
import { entryOf, generationOf, QUEUE } from './messages.js';

const OWNER = 'd:db-1';
export const MINE: HalfQueue = { ...QUEUE, owner: OWNER };
export const CHECK_AFTER_MS = 5_000;

/** A transaction that begins at `at` (Unix ms). */
export function newTransaction(at = 1_700_000_000_000): string {
  const bytes = randomBytes(16);
  bytes.writeUIntBE(at, 0, 6);
  bytes[6] = 0x70 | (bytes[6]! & 0x0f);
  bytes[8] = 0x80 | (bytes[8]! & 0x3f);
  return formatMessageId(bytes);
}

/** The messages of a new transaction, or of the one that `more` names. */
export function halfOf(
  entries: readonly (AppendEntry | string)[],
  more: Partial<HalfMessages> = {},
): HalfMessages {
  return {
    id: newTransaction(),
    name: 'default',
    checkAfterMs: CHECK_AFTER_MS,
    entries: entries.map((entry) => (typeof entry === 'string' ? entryOf(entry) : entry)),
    ...more,
  };
}

export async function callOf(
  stores: Stores,
  halves: readonly HalfMessages[],
  more: Partial<HalfCall> = {},
): Promise<HalfCall> {
  return { ...MINE, generation: await generationOf(stores, QUEUE.topic), halves, ...more };
}

export async function prepare(
  stores: Stores,
  ...halves: readonly HalfMessages[]
): Promise<PrepareReply[]> {
  return stores.halves.prepare(await callOf(stores, halves));
}

/** Ids of halves that were prepared just now, with these bodies: one message each. */
export async function prepared(stores: Stores, ...bodies: readonly string[]): Promise<string[]> {
  const halves = bodies.map((body) => halfOf([body]));
  const replies = await prepare(stores, ...halves);
  if (replies.some(({ state }) => state !== 'prepared')) throw new Error('expected "prepared"');
  return halves.map(({ id }) => id);
}

export function statesOf(replies: readonly { state: string }[]): string[] {
  return replies.map(({ state }) => state);
}

export function resultsOf(reply: ResolveReply | PrepareReply | undefined) {
  if (reply?.state !== 'committed') throw new Error(`expected "committed", got "${reply?.state}"`);
  return reply.results;
}
