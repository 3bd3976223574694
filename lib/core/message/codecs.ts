import { bytesCodec, isBytes } from './bytes-codec.js';
import { aboutMessage, ANSWER, type Codec, decodeBody, type PlainCodec } from './codec.js';
import { CodecError } from './errors.js';
import { jsonCodec } from './json-codec.js';
import type { MessageId } from './message-id.js';
import type { ReplyPacket } from './reply-packet.js';
import { describeValue } from './options.js';

/** The codecs a process knows, by name. `json` and `bytes` are always there. */
export class Codecs {
  readonly preferred: Codec;
  private readonly byName: Map<string, Codec>;

  constructor(options: { preferred?: Codec; others?: readonly Codec[] } = {}) {
    this.preferred = options.preferred ?? jsonCodec;
    this.byName = new Map<string, Codec>(
      [jsonCodec, bytesCodec, ...(options.others ?? []), this.preferred].map((codec) => [
        codec.name,
        codec,
      ]),
    );
  }

  /** Bytes go unchanged unless the preferred codec takes them; everything else through that. */
  forBody(body: unknown): Codec {
    return isBytes(body) && this.preferred.takesBytes !== true ? bytesCodec : this.preferred;
  }

  /** @throws CodecError, or another `RivuletError` that its codec throws. */
  bodyOf(message: {
    readonly topic: string;
    readonly messageId: MessageId;
    readonly codec: string;
    readonly bytes: Buffer;
  }): unknown {
    const { topic, messageId, bytes } = message;
    try {
      const codec = this.called(message.codec);
      if (isPlainCodec(codec)) return codec.decode(bytes);
      return decodeBody(codec, bytes, { kind: 'message', topic, messageId });
    } catch (error) {
      throw aboutMessage(error, message);
    }
  }

  /** One step of the answer to a request to that topic. @throws as `bodyOf`. */
  bodyOfAnswer(answer: ReplyPacket, topic: string): unknown {
    const { requestId: messageId, codec, bytes } = answer;
    try {
      return decodeBody(this.called(codec), bytes, ANSWER);
    } catch (error) {
      throw aboutMessage(
        error,
        { topic, messageId },
        (text) => `Answer to a request to topic "${topic}": ${text}`,
      );
    }
  }

  private called(name: string): Codec {
    const codec = this.byName.get(name);
    if (codec) return codec;
    throw new CodecError(
      `No codec ${describeValue(name)} is known here (known: ${[...this.byName.keys()].join(', ')}); add it to the option "codecs"`,
    );
  }
}

/** By identity: one of the same name may be somebody else's. */
export function isPlainCodec(codec: Codec): codec is PlainCodec {
  return codec === jsonCodec || codec === bytesCodec;
}
