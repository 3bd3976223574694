import { MalformedMessageError } from '../message/errors.js';
import { joined, LENGTH_BYTES, parted } from '../message/joined.js';
import { decodeReply, type ReplyPacket } from '../message/reply-packet.js';

/** More than this belongs into a store of the user's, and into the answer a reference to it. */
const MOST_BYTES = 65_536;

/** What a handler answered to a request, to be given to a duplicate of it. */
export class KeptAnswer {
  private readonly isKept: boolean;
  private readonly parts: Buffer[] = [];
  private size = 0;
  private failed = false;

  /** @param options.isKept whether the bytes are wanted; otherwise only whether it failed. */
  constructor(options: { isKept: boolean }) {
    this.isKept = options.isKept;
  }

  /** A step that was sent, with its packet (`encodeReply`). */
  note(kind: ReplyPacket['kind'], packet: Buffer): void {
    this.failed ||= kind === 'error';
    this.size += LENGTH_BYTES + packet.length;
    if (!this.isKept || this.isTooLarge) return;
    this.parts.push(packet);
  }

  /** Whoever asked was told of an error, and may ask again. */
  get isError(): boolean {
    return this.failed;
  }

  get isTooLarge(): boolean {
    return this.isKept && this.size > MOST_BYTES;
  }

  /** Undefined when there is nothing to keep. */
  get bytes(): Buffer | undefined {
    if (!this.isKept || this.isTooLarge || this.parts.length === 0) return undefined;
    return joined(this.parts);
  }
}

/** The steps of a kept answer. @throws MalformedMessageError when these bytes are none. */
export function readAnswer(bytes: Buffer): ReplyPacket[] {
  if (bytes.length > MOST_BYTES)
    throw new MalformedMessageError(`A kept answer of ${bytes.length} bytes is none of ours`);
  return parted(bytes).map(decodeReply);
}
