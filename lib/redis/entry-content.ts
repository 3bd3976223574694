import { isWhole, parted } from '../core/message/joined.js';
import type { EntryContent } from '../core/store/refs.js';

/** Name of the field that holds a frame. The stream repeats it for no entry, so it may be one nobody else uses. */
const FRAME = Buffer.from('rv');
/** Name of the field that says which group a redriven message is for. */
const ONLY = Buffer.from('o');

/** An entry as Redis answers it: its id, and field names and values in turn (null when it was deleted). */
export type RawEntry = [id: Buffer, fields: Buffer[] | null];

/** Fields of a stream entry as content. Anything but `rv` and perhaps `o`, in this order, is not ours. */
export function readContent(fields: readonly Buffer[] | null): EntryContent {
  if (fields === null || fields.length === 0) return GONE;
  if (isFrame(fields[0]!)) {
    if (fields.length === 2) return { kind: 'message', frame: fields[1]!, only: null };
    if (fields.length === 4 && fields[2]!.equals(ONLY))
      return { kind: 'message', frame: fields[1]!, only: fields[3]!.toString() };
  }
  return { kind: 'foreign', fields };
}

/** Two bytes are compared sooner than `equals` is called. */
function isFrame(name: Buffer): boolean {
  return name.length === 2 && name[0] === FRAME[0] && name[1] === FRAME[1];
}

const GONE: EntryContent = { kind: 'gone' };

/** Name of the one field that holds the fields of an entry with too many. */
const PACKED = Buffer.from('\0packed');

/** Fields of a copy. */
export function unpacked(fields: Buffer[]): Buffer[] {
  const [name, packed] = fields;
  return fields.length === 2 && packed && name?.equals(PACKED) ? readPacked(packed) : fields;
}

/** Fields that are packed into one (`joined`). What is none of that is one field: nobody's entry. */
export function readPacked(packed: Buffer): Buffer[] {
  return isWhole(packed) ? parted(packed) : [packed];
}
