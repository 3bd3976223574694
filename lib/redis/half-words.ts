import { LENGTH_BYTES } from '../core/message/joined.js';
import {
  bytesMintedAt,
  MESSAGE_ID_BYTES,
  mintedAt,
  writeMessageId,
} from '../core/message/message-id.js';
import { StoreUnavailableError } from '../core/message/errors.js';
import { offsetsOfRun } from '../core/message/offset.js';
import type { HalfMessages, Resolved, TransactionId } from '../core/store/half-message-store.js';
import type { AppendEntry } from '../core/store/message-log.js';
import type { WhenFull } from '../core/store/topic-registry.js';
import { readResults, whenArgument } from './append-words.js';

const MINUTE_MS = 60_000;
/** As many as the scripts take. */
const MOST_PER_CALL = 500;

/** In which a transaction began: what became of all those of one minute stands in one key. */
export function minuteOf(id: TransactionId): number {
  return Math.floor(mintedAt(id) / MINUTE_MS);
}

/** Neighbours that one script call can be about: what became of them stands in one `done` key. */
export interface MinuteRun<I extends Item> {
  minute: number;
  items: readonly I[];
  /** Of these items, one after the other. */
  ids: Buffer;
}

export function byMinute<I extends Item>(items: readonly I[]): MinuteRun<I>[] {
  const ids = idBytes(items);
  const minuteAt = (i: number): number =>
    Math.floor(bytesMintedAt(ids, i * MESSAGE_ID_BYTES) / MINUTE_MS);
  const runs: MinuteRun<I>[] = [];
  for (let from = 0; from < items.length;) {
    const minute = minuteAt(from);
    let to = from + 1;
    while (to < items.length && to - from < MOST_PER_CALL && minuteAt(to) === minute) to++;
    const bytes = ids.subarray(from * MESSAGE_ID_BYTES, to * MESSAGE_ID_BYTES);
    runs.push({ minute, items: items.slice(from, to), ids: bytes });
    from = to;
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

/** All of it is visible at once, and nothing is compared with what was sent before. */
export function isPlain({ entries }: HalfMessages): boolean {
  for (const { due, dedupId } of entries) if (due || dedupId !== undefined) return false;
  return true;
}

/** '<messages> <dues> <dedup ids>', as halves.lua keeps it. */
export function contentWords(half: HalfMessages): string {
  const { entries } = half;
  if (isPlain(half)) return `${entries.length} - -`;
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

/** What a call is about. */
export interface Item {
  id: TransactionId;
}

function idBytes(items: readonly Item[]): Buffer {
  const bytes = Buffer.allocUnsafe(items.length * MESSAGE_ID_BYTES);
  items.forEach(({ id }, i) => writeMessageId(id, bytes, i * MESSAGE_ID_BYTES));
  return bytes;
}

/** For each half its length, what `headOf` says (latin1) and its frames, each with its length. One buffer for all. */
export function joinedHalves(
  halves: readonly HalfMessages[],
  headOf: (half: HalfMessages) => string,
): Buffer {
  const heads = halves.map(headOf);
  const sizes = halves.map(({ entries }, i) => {
    let size = heads[i]!.length;
    for (const { frame } of entries) size += LENGTH_BYTES + frame.length;
    return size;
  });
  const all = Buffer.allocUnsafe(sizes.reduce((sum, size) => sum + LENGTH_BYTES + size, 0));
  let at = 0;
  halves.forEach(({ entries }, i) => {
    at = all.writeUInt32BE(sizes[i]!, at);
    at += all.write(heads[i]!, at, 'latin1');
    for (const { frame } of entries) {
      at = all.writeUInt32BE(frame.length, at);
      frame.copy(all, at);
      at += frame.length;
    }
  });
  return all;
}

/**
 * What a script answered for each of them, whose ids it echoes (see `replying` in halves.lua).
 *
 * @throws StoreUnavailableError when the answer is about something else: replies of a dying connection were seen to
 *   reach the wrong call (ioredis #1931).
 */
export function readAnswers(
  items: readonly Item[],
  ids: Buffer,
  [echo, ...runs]: readonly Buffer[],
): (Item & HalfState)[] {
  const answers: (Item & HalfState)[] = [];
  if (echo?.equals(ids))
    for (const run of runs) {
      const text = run.toString('latin1');
      const space = text.indexOf(' ');
      const some = items.slice(answers.length, answers.length + Number(text.slice(0, space)));
      readRun(some, text.slice(space + 1), answers);
    }
  if (answers.length === items.length) return answers;
  throw new StoreUnavailableError(
    'Redis answered about other transactions than were asked about; whether it acted is not known. Repeat the call',
  );
}

function readRun(items: readonly Item[], answer: string, into: (Item & HalfState)[]): void {
  if (answer.startsWith('following ')) {
    const offsets = offsetsOfRun(answer.slice('following '.length), items.length);
    items.forEach(({ id }, i) =>
      into.push({ id, state: 'committed', results: [{ state: 'stored', offset: offsets[i]! }] }),
    );
    return;
  }
  const state = readState(answer);
  for (const { id } of items) into.push({ id, ...state });
}

export type HalfState =
  | Resolved
  | { state: 'full'; room: number; whenFull: WhenFull }
  | { state: 'prepared' | 'extended' | 'parked' | 'unknown' }
  | { state: 'moved'; generation: number }
  | { state: 'dedup'; dedups: string[] };

function readState(answer: string): HalfState {
  const space = answer.indexOf(' ');
  const word = space < 0 ? answer : answer.slice(0, space);
  const detail = space < 0 ? '' : answer.slice(space + 1);
  switch (word) {
    case 'committed':
      return { state: 'committed', results: readResults(detail) };
    case 'moved':
      return { state: 'moved', generation: Number(detail) };
    case 'full': {
      const [room, whenFull] = detail.split(' ');
      return { state: 'full', room: Number(room), whenFull: whenFull as WhenFull };
    }
    case 'dedup':
      return { state: 'dedup', dedups: detail.split(',').filter((dedup) => dedup !== '-') };
    default:
      return { state: word as 'prepared' };
  }
}
