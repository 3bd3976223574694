import { InvalidInputError } from './errors.js';
import { describeValue } from './options.js';

/**
 * MurmurHash2, 32 bit, with Kafka's seed (`org.apache.kafka.common.utils.Utils.murmur2`). Signed, as in Java.
 *
 * @throws InvalidInputError for what are no bytes: Buffer.from(text) makes them of a text.
 */
export function murmur2(bytes: Uint8Array): number {
  if (!(bytes instanceof Uint8Array))
    throw new InvalidInputError('murmur2', [
      `bytes must be a Uint8Array, got: ${describeValue(bytes)}`,
    ]);
  const m = 0x5bd1e995;
  const { length } = bytes;
  let h = 0x9747b28c ^ length;
  let at = 0;
  for (; at + 4 <= length; at += 4) {
    let k = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
    k = Math.imul(k, m);
    k ^= k >>> 24;
    h = Math.imul(h, m) ^ Math.imul(k, m);
  }
  const left = length - at;
  if (left === 3) h ^= bytes[at + 2]! << 16;
  if (left >= 2) h ^= bytes[at + 1]! << 8;
  if (left >= 1) h = Math.imul(h ^ bytes[at]!, m);
  h ^= h >>> 13;
  h = Math.imul(h, m);
  return h ^ (h >>> 15);
}
