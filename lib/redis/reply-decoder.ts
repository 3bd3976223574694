import { ReplyError } from 'ioredis';

/** With what each type of RESP begins. */
const Type = {
  array: 0x2a, // *
  bigNumber: 0x28, // (
  blob: 0x24, // $
  blobError: 0x21, // !
  boolean: 0x23, // #
  double: 0x2c, // ,
  error: 0x2d, // -
  map: 0x25, // %
  null: 0x5f, // _
  number: 0x3a, // :
  push: 0x3e, // >
  set: 0x7e, // ~
  text: 0x2b, // +
  verbatim: 0x3d, // =
} as const;
const RETURN = 0x0d;
const MINUS = 0x2d;
const ZERO = 0x30;
const TRUE = 0x74;
/** What stands before the text of a verbatim string: `txt:`. */
const FORMAT_BYTES = 4;

export interface ReplyDecoderOptions {
  onReply(reply: unknown): void;
  /** A reply that is not for this decoder, such as an error: the bytes of all of it. */
  onOther(bytes: Buffer): void;
}

/**
 * Replies of RESP2 and RESP3 as ioredis hands them out: text and bytes as Buffers, maps and sets as flat arrays. A Buffer
 * shares its bytes with what was read.
 *
 * What has arrived of a reply is not looked at again when more arrives.
 */
export class ReplyDecoder {
  private readonly options: ReplyDecoderOptions;
  /** Arrays that are not complete, the outermost first, and how many items each of them has. */
  private readonly open: unknown[][] = [];
  private readonly filled: number[] = [];
  /** The outermost array is none that anybody asked for. */
  private isPush = false;
  /** The begin of an item, and how many bytes are known to be missing. */
  private rest: Buffer[] = [];
  private missing = 0;

  constructor(options: ReplyDecoderOptions) {
    this.options = options;
  }

  /** @throws Error when an array holds what is no RESP: nothing that follows can be understood. */
  write(chunk: Buffer): void {
    let bytes = chunk;
    if (this.rest.length > 0) {
      this.rest.push(chunk);
      this.missing -= chunk.length;
      if (this.missing > 0) return;
      bytes = Buffer.concat(this.rest);
      this.rest = [];
    }
    let at = 0;
    while (at < bytes.length) {
      const next = this.item(bytes, at);
      if (next > bytes.length) {
        this.rest.push(bytes.subarray(at));
        this.missing = next - bytes.length;
        return;
      }
      at = next;
    }
  }

  /** @returns where the next item begins; beyond the end if this one ends there, or later. */
  private item(bytes: Buffer, at: number): number {
    const lineEnd = endOfLine(bytes, at);
    if (lineEnd > bytes.length) return lineEnd;
    const type = bytes[at];
    switch (type) {
      case Type.blob: {
        const length = numberAt(bytes, at + 1);
        if (length < 0) return this.place(null, lineEnd);
        const end = lineEnd + length + 2;
        if (end > bytes.length) return end;
        return this.place(bytes.subarray(lineEnd, lineEnd + length), end);
      }
      case Type.array:
      case Type.set:
        return this.begin(numberAt(bytes, at + 1), lineEnd);
      case Type.map:
        return this.begin(2 * numberAt(bytes, at + 1), lineEnd);
      case Type.number:
        return this.place(numberAt(bytes, at + 1), lineEnd);
      case Type.null:
        return this.place(null, lineEnd);
      case Type.text:
        return this.place(bytes.subarray(at + 1, lineEnd - 2), lineEnd);
      case Type.push:
        this.isPush ||= this.open.length === 0;
        return this.begin(numberAt(bytes, at + 1), lineEnd);
      default:
        return this.rare(bytes, at, lineEnd);
    }
  }

  private rare(bytes: Buffer, at: number, lineEnd: number): number {
    const type = bytes[at];
    const isLong = type === Type.blobError || type === Type.verbatim;
    const from = isLong ? lineEnd : at + 1;
    const to = isLong ? lineEnd + numberAt(bytes, at + 1) : lineEnd - 2;
    if (to + 2 > bytes.length) return to + 2;
    if (this.open.length === 0) {
      this.options.onOther(bytes.subarray(at, to + 2));
      return to + 2;
    }
    switch (type) {
      case Type.double:
        return this.place(bytes.subarray(from, to), to + 2);
      case Type.boolean:
        return this.place(bytes[from] === TRUE ? 1 : 0, to + 2);
      case Type.bigNumber:
        return this.place(bytes.toString('latin1', from, to), to + 2);
      case Type.verbatim:
        return this.place(bytes.subarray(from + FORMAT_BYTES, to), to + 2);
      case Type.error:
      case Type.blobError:
        return this.place(new ReplyError(bytes.toString('utf8', from, to)), to + 2);
      default:
        throw new Error(`A reply begins with byte ${type}, which no type of RESP does`);
    }
  }

  private begin(length: number, next: number): number {
    if (length < 0) return this.place(null, next);
    if (length === 0) return this.place([], next);
    this.open.push(new Array<unknown>(length));
    this.filled.push(0);
    return next;
  }

  private place(item: unknown, next: number): number {
    const { open, filled } = this;
    let complete = item;
    for (let depth = open.length - 1; depth >= 0; depth--) {
      const items = open[depth]!;
      const place = filled[depth]!;
      items[place] = complete;
      filled[depth] = place + 1;
      if (place + 1 < items.length) return next;
      complete = items;
      open.pop();
      filled.pop();
    }
    if (this.isPush) this.isPush = false;
    else this.options.onReply(complete);
    return next;
  }
}

/** Behind the line that begins at `at`; beyond the end of the bytes if that is not there yet. */
function endOfLine(bytes: Buffer, at: number): number {
  const { length } = bytes;
  let end = at;
  while (end < length && bytes[end] !== RETURN) end += 1;
  return end + 2;
}

/** Of a line that is complete. */
function numberAt(bytes: Buffer, at: number): number {
  const isNegative = bytes[at] === MINUS;
  let number = 0;
  for (let i = isNegative ? at + 1 : at; bytes[i] !== RETURN; i++)
    number = number * 10 + bytes[i]! - ZERO;
  return isNegative ? -number : number;
}
