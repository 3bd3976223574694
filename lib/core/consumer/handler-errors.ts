import { knownToCopies } from '../message/any-copy.js';
import { InvalidInputError, RivuletError } from '../message/errors.js';
import { describeValue, inMs } from '../message/options.js';

/** Thrown by a handler: this message will never succeed. It becomes a dead letter now, without another attempt. */
export class RejectMessageError extends RivuletError {
  static {
    knownToCopies(this, 'RejectMessageError');
  }

  readonly code = 'REJECTED';

  constructor(why: string, options?: ErrorOptions) {
    super(why, options);
  }
}

/** Thrown by a handler: try again after exactly this long. Counts as an attempt. */
export class RetryLaterError extends RivuletError {
  static {
    knownToCopies(this, 'RetryLaterError');
  }

  readonly code = 'RETRY_LATER';
  readonly delayMs: number;

  /**
   * @param delayMs a finite number of milliseconds, not negative.
   * @throws InvalidInputError otherwise, which is a failure of the handler like any other.
   */
  constructor(delayMs: number, why?: string, options?: ErrorOptions) {
    if (!Number.isFinite(delayMs) || delayMs < 0)
      throw new InvalidInputError('RetryLaterError', [
        `delayMs must be a number of at least 0, got: ${describeValue(delayMs)}${inMs(delayMs)}`,
      ]);
    super(why ?? `retry in ${delayMs} ms`, options);
    this.delayMs = delayMs;
  }
}

/** The handler took longer than `handlerTimeoutMs`. Its signal was aborted; what it still does is not settled. */
export class HandlerTimeoutError extends RivuletError {
  readonly code = 'HANDLER_TIMEOUT';
}
