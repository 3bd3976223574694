import { knownToCopies } from '../../message/any-copy.js';

/**
 * Answered by a batch handler when some of its messages failed: these are tried again or dead-lettered, each by itself,
 * as if their handler had thrown; the others are acked.
 */
export class BatchResult {
  static {
    knownToCopies(this, 'BatchResult');
  }

  private readonly errors = new Map<number, unknown>();

  /**
   * The message at this place failed. With `RejectMessageError` it becomes a dead letter, with `RetryLaterError` it
   * comes back when you say; the last call for a place counts.
   *
   * @param index from 0, as in the array the handler got.
   * @throws RangeError when `index` is no place. One that is beyond the batch fails all of it, since nobody knows what failed.
   */
  fail(index: number, error: unknown = new Error('its batch handler said that it failed')): this {
    if (!Number.isSafeInteger(index) || index < 0)
      throw new RangeError(`BatchResult.fail takes a place from 0, got: ${String(index)}`);
    this.errors.set(index, error);
    return this;
  }

  /** Errors by the place of their message. */
  get failures(): ReadonlyMap<number, unknown> {
    return this.errors;
  }
}
