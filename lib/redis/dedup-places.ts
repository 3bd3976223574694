import { isMessageId } from '../core/message/message-id.js';
import type { DedupRef } from '../core/store/dedup-store.js';
import type { Keys } from './keys.js';

/** What a record is about, and where it stands. A class, as everything that lives through a call (decision 7). */
export class DedupPlace implements DedupRef {
  readonly group: string;
  readonly topic: string;
  readonly key: string;
  /** The key in Redis. */
  readonly at: string;
  /** Undefined: `at` is the record. */
  readonly field: string | undefined;

  constructor({ group, topic, key }: DedupRef, at: string, field: string | undefined) {
    this.group = group;
    this.topic = topic;
    this.key = key;
    this.at = at;
    this.field = field;
  }
}

/** `xxxxxxxx-xx`: of the milliseconds of a UUIDv7 all but the last 8 bits, a quarter of a second. */
const MOMENT = 11;
const VERSION_AT = 14;
const NOTHING_KNOWN = { isMessageId: false };
/** The rest of an id. */
export const FIELD_WIDTH = 36 - MOMENT;

/**
 * A message without a dedup key of its own goes by its id, and ids of one moment are handled at about the same time: their
 * records share a hash, so that the claims of a whole batch are one command, and so is what becomes of them (decision 20).
 * Any other key is a record by itself.
 */
export class DedupPlaces {
  private readonly keys: Keys;
  private topic = '';
  private group = '';
  private moment = '';
  private hash = '';

  constructor(options: { keys: Keys }) {
    this.keys = options.keys;
  }

  of(ref: DedupRef, known = NOTHING_KNOWN): DedupPlace {
    if (ref instanceof DedupPlace) return ref;
    const { key } = ref;
    if (key[VERSION_AT] !== '7' || !(known.isMessageId || isMessageId(key)))
      return new DedupPlace(ref, this.keys.dedupRecord(ref), undefined);
    return new DedupPlace(ref, this.hashOf(ref), key.slice(MOMENT));
  }

  /** Mostly that of the one before. */
  private hashOf({ topic, group, key }: DedupRef): string {
    if (!key.startsWith(this.moment) || topic !== this.topic || group !== this.group) {
      this.topic = topic;
      this.group = group;
      this.moment = key.slice(0, MOMENT);
      this.hash = this.keys.dedupRecords({ topic, group }, this.moment);
    }
    return this.hash;
  }
}
