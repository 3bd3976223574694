import assert from 'node:assert/strict';
import type { Codec, CodecContext } from '../../lib/core/message/codec.js';

/** JSON, bound to whose body it is: one that is read as another's is refused. */
export function boundCodec(name = 'bound'): Codec & { readonly contexts: CodecContext[] } {
  const contexts: CodecContext[] = [];
  return {
    name,
    takesBytes: true,
    contexts,
    encode: (body, context) => {
      contexts.push(context);
      return JSON.stringify({ context, body });
    },
    decode: (bytes, context) => {
      const bound = JSON.parse(bytes.toString()) as { context: CodecContext; body: unknown };
      assert.deepEqual(context, bound.context);
      return bound.body;
    },
  };
}
