import { types } from 'node:util';
import { CodecError } from './errors.js';
import { describeValue } from './options.js';

/**
 * Body ⇄ bytes. `name` travels with the message, so that a consumer with several codecs picks the right one.
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
  encode(body: unknown): Uint8Array | string;
  decode(bytes: Buffer): unknown;
}

/** What of it is no codec, for whoever was given one under this name. */
export function codecProblems(what: string, codec: unknown): string[] {
  if (typeof codec !== 'object' || codec === null)
    return [`${what} must be { name, encode, decode }, got: ${describeValue(codec)}`];
  const { name, encode, decode, takesBytes } = codec as { [K in keyof Codec]?: unknown };
  return [
    typeof name === 'string' && name.length > 0
      ? undefined
      : `${what}.name must be text, which travels with each message, got: ${describeValue(name)}`,
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
export function encodeBody(codec: Codec, body: unknown): Uint8Array | string {
  const bytes: unknown = codec.encode(body);
  if (typeof bytes === 'string' || types.isUint8Array(bytes)) return bytes;
  refusePromise(codec, bytes);
  throw new CodecError(
    `Codec "${codec.name}" must answer text or bytes, got: ${describeValue(bytes)}`,
  );
}

/** Of what answers at once. @throws CodecError when it is a promise. */
export function refusePromise(codec: Codec, answer: unknown): void {
  if (!types.isPromise(answer)) return;
  // Nobody else looks at it: its rejection would end the process.
  answer.catch(() => undefined);
  throw new CodecError(
    `Codec "${codec.name}" answers a promise, and has to answer at once: fetch keys before they are needed`,
  );
}
