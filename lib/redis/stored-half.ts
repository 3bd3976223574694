// A half as it is kept (halves.lua) and as claim-halves.lua answers it.
import { isWhole, parted } from '../core/message/joined.js';
import { formatMessageId, mintedAt } from '../core/message/message-id.js';
import type {
  ClaimedHalf,
  ClaimedHalves,
  HalfFacts,
  TransactionId,
} from '../core/store/half-message-store.js';
import type { AppendEntry } from '../core/store/message-log.js';
import { fromWord } from './half-words.js';

const FACTS = /^(\d{1,16}) (\d{1,9}) (\S+) (\S+) (\S+) (\d{1,6}) (\S+) (\S+)$/;

/** What claim-halves.lua answered. */
export function readClaimed([now, next, waiting, ...pairs]: readonly Buffer[]): ClaimedHalves {
  const halves: ClaimedHalf[] = [];
  const unreadable: TransactionId[] = [];
  for (let i = 0; i < pairs.length; i += 2) {
    const id = formatMessageId(pairs[i]!);
    const half = readHalf(id, pairs[i + 1]!);
    if (!half) unreadable.push(id);
    else {
      const { parked: _parked, ...claimed } = half;
      halves.push(claimed);
    }
  }
  return {
    now: Number(now),
    halves,
    unreadable,
    nextCheckAt: next!.length === 0 ? null : Number(next),
    waiting: Number(waiting),
  };
}

type StoredHalf = HalfFacts & { parked: string | null; frames: Buffer[] };

/** Facts, a line feed, frames. Undefined when these bytes are none. */
export function readHalf(id: TransactionId, stored: Buffer): StoredHalf | undefined {
  const end = stored.indexOf(0x0a);
  const facts = FACTS.exec(stored.toString('latin1', 0, end < 0 ? 0 : end));
  const frames = stored.subarray(end + 1);
  if (!facts || !isWhole(frames)) return undefined;
  const most = Number(facts[6]);
  const parts = parted(frames, most + 1);
  // None when they were not asked for.
  if (parts.length > 0 && parts.length !== most) return undefined;
  const [, preparedAt, checks, parked, owner, name, messages, dues] = facts as unknown as [
    ...[string, string, string, string, string, string, string, string],
  ];
  try {
    return {
      id,
      owner: fromWord(owner),
      name: fromWord(name),
      preparedAt: Number(preparedAt),
      checks: Number(checks),
      messages: Number(messages),
      dues: readDues(dues, Number(messages)),
      parked: parked === '-' ? null : fromWord(parked),
      frames: parts,
    };
  } catch (error) {
    if (error instanceof URIError) return undefined;
    throw error;
  }
}

/** What an operator gets to see instead. */
export function unreadableHalf(id: TransactionId): StoredHalf {
  const facts = { owner: '', name: '', preparedAt: mintedAt(id), checks: 0, messages: 0 };
  const parked = 'what is stored of it cannot be read';
  return { id, ...facts, dues: [], parked, frames: [] };
}

function readDues(text: string, messages: number): AppendEntry['due'][] {
  if (text === '-') return Array.from({ length: messages }, () => undefined);
  return text.split(',').map((word) => {
    if (word === '-') return undefined;
    const ms = Number(word.slice(1));
    return word.startsWith('@') ? { at: ms } : { delayMs: ms };
  });
}
