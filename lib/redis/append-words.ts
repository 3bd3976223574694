import { StoreUnavailableError } from '../core/message/errors.js';
import { offsetsOfRun } from '../core/message/offset.js';
import type {
  AppendCall,
  AppendEntry,
  AppendReply,
  AppendResult,
} from '../core/store/message-log.js';
import type { WhenFull } from '../core/store/topic-registry.js';
import type { QueueKeys } from './keys.js';

type AppendWord =
  'appended' | 'full' | 'repeat' | 'forgotten' | 'moved' | 'fenced' | 'gap' | 'new-session';

/** What append.lua answers. */
export type AppendWords = [word: AppendWord, detail: string, more: string];

/** When each becomes visible, for append.lua; empty when all do at once. */
export function dueArgument(entries: readonly AppendEntry[]): string {
  if (!entries.some((entry) => entry.due)) return '';
  return entries.map(({ due }) => (due ? whenArgument(due) : '-')).join(' ');
}

/** `+<ms from now>` or `@<Unix ms>`. */
export function whenArgument(due: { delayMs: number } | { at: number }): string {
  return 'at' in due ? `@${Math.round(due.at)}` : `+${Math.round(due.delayMs)}`;
}

/** The records of all dedup ids, and which of them each message has. */
export function dedupArguments(
  keys: Pick<QueueKeys, 'dedup'>,
  entries: readonly AppendEntry[],
): { records: string[]; places: string } {
  if (!entries.some((entry) => entry.dedupId !== undefined)) return { records: [], places: '' };
  const places = new Map<string, number>();
  const placeOf = (dedupId: string): number => {
    if (!places.has(dedupId)) places.set(dedupId, places.size + 1);
    return places.get(dedupId)!;
  };
  const listed = entries
    .map(({ dedupId }) => (dedupId === undefined ? '-' : placeOf(dedupId)))
    .join(' ');
  return { records: [...places.keys()].map((dedupId) => keys.dedup(dedupId)), places: listed };
}

export function readAppendReply(call: AppendCall, [word, detail, more]: AppendWords): AppendReply {
  switch (word) {
    case 'appended':
      return { state: 'appended', results: readResults(detail), repeat: false };
    case 'repeat':
      return { state: 'appended', results: readResults(detail), repeat: true };
    case 'moved':
      return { state: 'moved', generation: Number(detail) };
    case 'full':
      return { state: 'full', room: Number(detail), whenFull: more as WhenFull };
    case 'forgotten':
      throw new StoreUnavailableError(
        `Call ${call.epoch}:${call.number} to ${call.topic}/${call.queue} was carried out before, too long ago to say ` +
          'with what result. Begin a new epoch',
      );
    default:
      return { state: word };
  }
}

/** The results of append.lua; neighbours that are equal come counted. */
export function readResults(text: string): AppendResult[] {
  const results: AppendResult[] = [];
  if (text === '') return results;
  for (const run of text.split(',')) {
    const [word, detail, counted] = run.split(' ') as [string, string, string];
    const count = Number(counted);
    if (word === 'stored')
      for (const offset of offsetsOfRun(detail, count)) results.push({ state: 'stored', offset });
    else for (let i = 0; i < count; i++) results.push(readResult(word, detail));
  }
  return results;
}

function readResult(word: string, detail: string): AppendResult {
  switch (word) {
    case 'scheduled':
      return { state: 'scheduled', dueAt: Number(detail) };
    default: {
      const [hex, offset] = detail.split('/') as [string, string];
      return {
        state: 'duplicate',
        messageId: hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5'),
        offset: offset === '-' ? null : offset,
      };
    }
  }
}
