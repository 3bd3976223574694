// A read that Redis carries out only for the owner of a queue, without a script that carries the messages: each of them
// would become text of Lua and bytes again, which takes longer than to find it.
import type { LeaseProof } from '../core/store/queue-lease-store.js';
import type { RawEntry } from './entry-content.js';
import { refusalReason, storeError } from './errors.js';
import type { GroupQueueKeys } from './keys.js';
import { ORDERED, proofArguments } from './lease-words.js';
import { isNoScript, type ScriptHost } from './script.js';
import { scripts } from './scripts.js';

export type DoorReply =
  | { state: 'read'; version: number; nudge: number; entries: RawEntry[] }
  | { state: 'fenced' | 'gap' }
  /** Nothing was carried out. */
  | { state: 'out-of-memory' };

export interface DoorCall {
  keys: GroupQueueKeys;
  group: string;
  proof: LeaseProof;
  count: number;
}

/** Of streams by their keys: pairs, or one after the other with RESP3. */
type Streams = [[key: Buffer, entries: RawEntry[]]] | [key: Buffer, entries: RawEntry[]];

/**
 * The next messages of a queue for its owner: as read-lanes.lua, but the version changes also when there are none.
 *
 * A transaction of one write: a script makes the stream `door` with the group if the proof is right, the log is read
 * together with the door, and the door goes. XREADGROUP looks for the groups of all its streams before it hands out
 * anything, so where the script did not open the door, for whatever reason, nothing is read.
 */
export async function readThroughDoor(host: ScriptHost, call: DoorCall): Promise<DoorReply> {
  let replies = await transaction(host, call, 'digest');
  if (replies !== 'out-of-memory' && isNoScript(replies[0]))
    replies = await transaction(host, call, 'text');
  if (replies === 'out-of-memory') return { state: replies };
  const [opened, found] = replies;
  const asked = { operation: scripts.openDoor.name, key: call.keys.lease };
  if (opened instanceof Error) throw storeError(opened, asked);
  const [word, version, nudge] = (opened as Buffer[]).map(String);
  if (word !== 'open') return { state: word as 'fenced' | 'gap' };
  if (found instanceof Error)
    throw storeError(found, { operation: 'XREADGROUP', key: call.keys.log });
  const entries = entriesIn(found as Streams | null);
  return { state: 'read', version: Number(version), nudge: Number(nudge), entries };
}

/** What the script and the read answered, errors included. @throws when the transaction was not carried out, or nobody knows. */
async function transaction(
  { redis, testTimeMs }: ScriptHost,
  { keys, group, proof, count }: DoorCall,
  form: 'digest' | 'text',
): Promise<[opened: unknown, found: unknown] | 'out-of-memory'> {
  const { lease, door, log } = keys;
  const args = { group, ...proofArguments(proof) };
  const open = scripts.openDoor.words({ testTimeMs }, { keys: { lease, door }, args }, form);
  const consumer = ['GROUP', group, ORDERED, 'COUNT', String(count)];
  const queued = [
    redis.call('MULTI'),
    redis.call('UNLINK', door),
    redis.call(...open),
    redis.call('XREADGROUP', ...consumer, 'STREAMS', door, log, '>', '>'),
    redis.call('UNLINK', door),
  ];
  const replies = await Promise.allSettled([...queued, redis.callBuffer('EXEC')]);
  // The first one says why; what follows from it says less.
  const failed = replies.find((reply) => reply.status === 'rejected');
  if (failed) {
    if (refusalReason(failed.reason) === 'OOM') return 'out-of-memory';
    throw storeError(failed.reason, { operation: 'EXEC', key: log });
  }
  const [, opened, found] = (replies.at(-1) as PromiseFulfilledResult<unknown[]>).value;
  return [opened, found];
}

function entriesIn(streams: Streams | null): RawEntry[] {
  if (!streams) return [];
  const [first, second] = streams;
  return Array.isArray(first) ? first[1] : (second as RawEntry[]);
}
