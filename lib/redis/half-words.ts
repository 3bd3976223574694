import { mintedAt } from '../core/message/message-id.js';
import { StoreUnavailableError } from '../core/message/errors.js';
import type {
  HalfFacts,
  HalfMessages,
  Resolved,
  TransactionId,
} from '../core/store/half-message-store.js';
import type { AppendEntry } from '../core/store/message-log.js';
import { LENGTH_BYTES, readResults, whenArgument } from './redis-message-log.js';

const MINUTE_MS = 60_000;
/** As many as the scripts take. */
const MOST_PER_CALL = 500;

/** Runs of neighbours that one script call can be about: what became of them stands in one `done` key. */
export function byMinute<I extends { id: TransactionId }>(
  items: readonly I[],
): { minute: number; items: I[] }[] {
  const runs: { minute: number; items: I[] }[] = [];
  for (const item of items) {
    const minute = Math.floor(mintedAt(item.id) / MINUTE_MS);
    const run = runs.at(-1);
    if (run?.minute === minute && run.items.length < MOST_PER_CALL) run.items.push(item);
    else runs.push({ minute, items: [item] });
  }
  return runs;
}

/** One word for the scripts about halves: no space, no comma, and not the '-' that stands for nothing. */
export function toWord(text: string): string {
  const word = encodeURIComponent(Buffer.from(text, 'utf8').toString('utf8'));
  return word === '-' ? '%2D' : word;
}

export function fromWord(word: string): string {
  return decodeURIComponent(word);
}

/** '<messages> <dues> <dedup ids>', as halves.lua keeps it. */
export function contentWords({ entries }: HalfMessages): string {
  const dues = listed(entries, ({ due }) => due && whenArgument(due));
  const dedups = listed(entries, ({ dedupId }) =>
    dedupId === undefined ? undefined : toWord(dedupId),
  );
  return `${entries.length} ${dues} ${dedups}`;
}

function listed(
  entries: readonly AppendEntry[],
  wordOf: (entry: AppendEntry) => string | undefined,
): string {
  const words = entries.map((entry) => wordOf(entry) ?? '-');
  return words.every((word) => word === '-') ? '-' : words.join(',');
}

/**
 * What a script answered for each id.
 *
 * @throws StoreUnavailableError when the answer is about something else: replies of a dying connection were seen to
 *   reach the wrong call (ioredis #1931).
 */
export function readAnswers(ids: Buffer, [echo, ...answers]: readonly Buffer[]): string[] {
  if (!echo?.equals(ids) || answers.length !== ids.length / 16)
    throw new StoreUnavailableError(
      'Redis answered about other transactions than were asked about; whether it acted is not known. Repeat the call',
    );
  return answers.map((answer) => answer.toString('latin1'));
}

export type HalfState =
  | Resolved
  | { state: 'prepared' | 'full' | 'extended' | 'parked' | 'unknown' }
  | { state: 'moved'; generation: number }
  | { state: 'dedup'; dedups: string[] };

/** One answer of a script. */
export function readState(answer: string): HalfState {
  const space = answer.indexOf(' ');
  const word = space < 0 ? answer : answer.slice(0, space);
  const detail = space < 0 ? '' : answer.slice(space + 1);
  switch (word) {
    case 'committed':
      return { state: 'committed', results: readResults(detail) };
    case 'moved':
      return { state: 'moved', generation: Number(detail) };
    case 'dedup':
      return { state: 'dedup', dedups: detail.split(',').filter((dedup) => dedup !== '-') };
    default:
      return { state: word as 'prepared' };
  }
}

/** A half as the store keeps it: facts, a line feed, frames. */
export function readHalf(
  id: TransactionId,
  stored: Buffer,
): HalfFacts & { parked: string | null; frames: Buffer[] } {
  const end = stored.indexOf(0x0a);
  const words = stored.toString('latin1', 0, end).split(' ');
  const [owner, name, preparedAt, checks, parked, messages, dues] = words as [
    ...[string, string, string, string, string, string, string],
  ];
  return {
    id,
    owner: fromWord(owner),
    name: fromWord(name),
    preparedAt: Number(preparedAt),
    checks: Number(checks),
    messages: Number(messages),
    dues: readDues(dues, Number(messages)),
    parked: parked === '-' ? null : fromWord(parked),
    frames: splitFrames(stored.subarray(end + 1)),
  };
}

function readDues(text: string, messages: number): AppendEntry['due'][] {
  if (text === '-') return Array.from({ length: messages }, () => undefined);
  return text.split(',').map((word) => {
    if (word === '-') return undefined;
    const ms = Number(word.slice(1));
    return word.startsWith('@') ? { at: ms } : { delayMs: ms };
  });
}

function splitFrames(bytes: Buffer): Buffer[] {
  const frames: Buffer[] = [];
  for (let at = 0; at < bytes.length;) {
    const end = at + LENGTH_BYTES + bytes.readUInt32BE(at);
    frames.push(bytes.subarray(at + LENGTH_BYTES, end));
    at = end;
  }
  return frames;
}
