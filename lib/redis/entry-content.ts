import type { EntryContent } from '../core/store/refs.js';

const H = 0x68;
const B = 0x62;
const O = 0x6f;

/** An entry as Redis answers it: its id, and field names and values in turn (null when it was deleted). */
export type RawEntry = [id: Buffer, fields: Buffer[] | null];

/** Fields of a stream entry as content. Anything but `h`, `b` and perhaps `o`, in this order, is not ours. */
export function readContent(fields: readonly Buffer[] | null): EntryContent {
  if (fields === null || fields.length === 0) return GONE;
  if (isField(fields[0], H) && isField(fields[2], B)) {
    if (fields.length === 4)
      return { kind: 'message', header: fields[1]!, body: fields[3]!, only: null };
    if (fields.length === 6 && isField(fields[4], O))
      return { kind: 'message', header: fields[1]!, body: fields[3]!, only: fields[5]!.toString() };
  }
  return { kind: 'foreign', fields };
}

const GONE: EntryContent = { kind: 'gone' };

function isField(name: Buffer | undefined, letter: number): boolean {
  return name !== undefined && name.length === 1 && name[0] === letter;
}
