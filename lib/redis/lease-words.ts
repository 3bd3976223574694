// What the scripts about leases and lanes take and answer, in words of the port.
import type { GroupQueue } from '../core/store/delivery-store.js';
import type {
  AcquireReply,
  HeldEntry,
  HeldLane,
  HeldStep,
  LaneRecord,
  LaneStep,
  LeaseProof,
  LoadReply,
  StepReply,
} from '../core/store/queue-lease-store.js';
import type { StoredEntry } from '../core/store/refs.js';
import { type RawEntry, readContent, readPacked } from './entry-content.js';

const SPACE = 0x20;
/** In whose hands every delivery of an ordered group is. */
export const ORDERED = '~ordered';

export function proofArguments(proof: LeaseProof): Record<'owner' | 'token' | 'version', string> {
  return {
    owner: proof.owner,
    token: String(proof.fencingToken),
    version: String(proof.version),
  };
}

function wordOf(step: HeldStep): string {
  if (step.kind === 'retry' && !step.counted) return 'postpone';
  return step.kind === 'begin' && step.alone ? 'begin-alone' : step.kind;
}

function delayOf(step: HeldStep): string {
  return step.kind === 'retry' ? String(Math.round(step.delayMs)) : '';
}

/** One argument for all but the lanes, and a word only where neighbours differ: the script takes each line apart. */
export function stepArguments(steps: readonly LaneStep[]): {
  lines: string;
  lanes: string[];
  texts: string[];
} {
  const texts: string[] = [];
  let lines = '';
  let last = '';
  for (const step of steps) {
    const words = `${wordOf(step)} ${delayOf(step)}`;
    lines += words === last ? ` ${step.offset}` : `${lines && '\n'}${words} ${step.offset}`;
    last = words;
    if (hasText(step)) texts.push(textOf(step));
  }
  return { lines: `${lines}\n`, lanes: steps.map(({ lane }) => lane), texts };
}

/** Four for each step. */
export function heldStepArguments(steps: readonly HeldStep[]): string[] {
  return steps.flatMap((step) => [wordOf(step), step.offset, delayOf(step), textOf(step)]);
}

function hasText(step: LaneStep): boolean {
  return step.kind === 'dead-letter' || (step.kind === 'retry' && step.counted);
}

function textOf(step: HeldStep): string {
  switch (step.kind) {
    case 'retry':
      return step.history;
    case 'dead-letter':
    case 'park':
      return step.note;
    case 'begin':
    case 'ack':
      return '';
  }
}

export function readAcquired([word, first, second]: [string, string, string]): AcquireReply {
  return word === 'held'
    ? { state: 'held', owner: first, leftMs: Number(second) }
    : { state: 'acquired', fencingToken: Number(first), continued: second === 'continued' };
}

export function readStepReply(reply: unknown[]): StepReply {
  const [word, first, second] = reply as string[];
  switch (word) {
    case 'done':
      return { state: 'done', version: Number(first), nudge: Number(second) };
    case 'refused':
      return { state: 'refused', index: Number(first), why: second as 'order' | 'gone' };
    default:
      return { state: word as 'fenced' | 'gap' };
  }
}

function readRecord(raw: Buffer[]): LaneRecord {
  const [lane, offset, attempt, open, suspect, leftMs, history] = raw.map(text);
  return {
    lane: lane!,
    offset: offset!,
    attempt: Number(attempt),
    open: open === 'open',
    suspect: suspect === 'suspect',
    leftMs: Number(leftMs),
    history: history!,
  };
}

export function readHold(facts: readonly string[]): HeldLane {
  const [lane, state, from, count, since, note] = facts as [...string[]];
  return {
    lane: lane!,
    state: state as HeldLane['state'],
    from: from!,
    count: Number(count),
    since: Number(since),
    note: note!,
  };
}

/** As scripts answer it: '' instead of fields where nothing stands. */
type ScriptEntry = [id: Buffer, fields: Buffer[] | Buffer];

export function readEntries(ref: GroupQueue, entries: readonly unknown[]): StoredEntry[] {
  return (entries as ScriptEntry[]).map(([id, fields]) =>
    entryOf(ref, [id, Array.isArray(fields) ? fields : null]),
  );
}

/** The page of a load; records and holds stand in the first one only. */
export function readLoaded(ref: GroupQueue, reply: unknown[]): LoadReply & { state: 'loaded' } {
  const [, last, entries, records, holds] = reply as [
    ...[Buffer, Buffer, ScriptEntry[], Buffer[][], Buffer[][]],
  ];
  return {
    state: 'loaded',
    last: text(last) === 'last',
    entries: readEntries(ref, entries),
    records: records.map(readRecord),
    held: holds.map((hold) => readHold(hold.map(text))),
  };
}

export function readHeldEntry(ref: GroupQueue, element: Buffer): HeldEntry {
  const space = element.indexOf(SPACE);
  const fields = readPacked(element.subarray(space + 1));
  return entryOf(ref, [element.subarray(0, space), fields]);
}

export function entryOf({ topic, queue }: GroupQueue, [id, fields]: RawEntry): StoredEntry {
  return { topic, queue, offset: id.toString('latin1'), content: readContent(fields) };
}

export function text(bytes: unknown): string {
  return String(bytes);
}
