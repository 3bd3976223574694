import { types } from 'node:util';
import { isInstance } from './any-copy.js';
import { CodecError, RivuletError } from './errors.js';
import type { MessageId } from './message-id.js';
import { describeValue } from './options.js';
import { withoutPeriod } from './sentence.js';

/**
 * Whose body it is: the same when it is decoded as when it was encoded, through delays, retries, dead letters and redrives. A
 * codec that encrypts binds the body to it (additional data of AES-GCM): one that is moved to another message is not decoded.
 *
 * An answer to a request is bound to none: that of an idempotent handler is stored, and given to later requests, too.
 */
export type CodecContext =
  | { readonly kind: 'message'; readonly topic: string; readonly messageId: MessageId }
  | { readonly kind: 'answer' };

/**
 * Body ⇄ bytes. `name` (at most 255 bytes) travels with the message, so that a consumer with several codecs picks the right one.
 *
 * What `encode` throws reaches the sender, and nothing is stored. Whatever `decode` throws makes a dead letter, with its bytes
 * kept, at once: the same bytes will not decode later. Where they may, since a key is on its way, throw `RetryLaterError`.
 */
export interface Codec {
  readonly name: string;
  /**
   * Bodies that are bytes come to it, too. Default false: they travel as they are. A codec that encrypts must say true, or
   * they travel unencrypted.
   */
  readonly takesBytes?: boolean;
  /** At once: a promise is refused, as it is by `decode`. */
  encode(body: unknown, context: CodecContext): Uint8Array | string;
  decode(bytes: Buffer, context: CodecContext): unknown;
}

/** One of the library's, which looks at nothing but the body: no context is made for it. */
export interface PlainCodec extends Codec {
  encode(body: unknown): Uint8Array | string;
  decode(bytes: Buffer): unknown;
}

export const ANSWER: CodecContext = Object.freeze({ kind: 'answer' });

/** Of a codec, in bytes: an answer says its length in one. */
const LONGEST_NAME = 255;

/** What of it is no codec, for whoever was given one under this name. */
export function codecProblems(what: string, codec: unknown): string[] {
  if (typeof codec !== 'object' || codec === null)
    return [`${what} must be { name, encode, decode }, got: ${describeValue(codec)}`];
  const { name, encode, decode, takesBytes } = codec as { [K in keyof Codec]?: unknown };
  return [
    typeof name === 'string' && name.length > 0 && Buffer.byteLength(name) <= LONGEST_NAME
      ? undefined
      : `${what}.name must be text of at most ${LONGEST_NAME} bytes, which travels with each message, got: ${describeValue(name)}`,
    ...Object.entries({ encode, decode }).map(([method, value]) =>
      typeof value === 'function'
        ? undefined
        : `${what}.${method} must be a function, got: ${describeValue(value)}`,
    ),
    takesBytes === undefined || typeof takesBytes === 'boolean'
      ? undefined
      : `${what}.takesBytes must be true or false, got: ${describeValue(takesBytes)}`,
  ].filter((problem) => problem !== undefined);
}

/** @throws CodecError when the codec answers no bytes; what it throws itself. */
export function encodeBody(
  codec: Codec,
  body: unknown,
  context: CodecContext,
): Uint8Array | string {
  const bytes: unknown = codec.encode(body, context);
  if (typeof bytes === 'string' || types.isUint8Array(bytes)) return bytes;
  refusePromise(codec, bytes);
  throw new CodecError(
    `Codec "${codec.name}" must answer text or bytes, got: ${describeValue(bytes)}`,
  );
}

/** @throws CodecError when the bytes are no body of this codec; a `RivuletError` that it throws itself. */
export function decodeBody(codec: Codec, bytes: Buffer, context: CodecContext): unknown {
  try {
    const body = codec.decode(bytes, context);
    refusePromise(codec, body);
    return body;
  } catch (error) {
    if (isInstance(error, RivuletError)) throw error;
    // Not its text, which may quote the body.
    throw new CodecError(`Codec "${codec.name}" cannot decode the body (${bytes.length} bytes)`, {
      cause: error,
    });
  }
}

/** What a codec threw, with what it does not know: of which message it was asked. `say` puts that into words. */
export function aboutMessage(
  error: unknown,
  about: { topic: string; messageId?: MessageId },
  say: (text: string) => string = (text) => text,
): unknown {
  if (!isInstance(error, CodecError)) return error;
  const { topic, messageId } = about;
  const { path, message, cause = error } = error;
  return new CodecError(say(withoutPeriod(message)), { path, cause, topic, messageId });
}

/** Of what answers at once. @throws CodecError when it is a promise. */
function refusePromise(codec: Codec, answer: unknown): void {
  if (!types.isPromise(answer)) return;
  // Nobody else looks at it: its rejection would end the process.
  answer.catch(() => undefined);
  throw new CodecError(
    `Codec "${codec.name}" answers a promise, and has to answer at once: fetch keys before they are needed`,
  );
}
