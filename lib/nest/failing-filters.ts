import { describeError } from '../core/consumer/outcome.js';
import { withoutPeriod } from '../core/message/sentence.js';
import type { Clock } from '../core/runtime/clock.js';
import type { Logger } from '../core/runtime/logger.js';
import { OnceAMinute } from '../core/runtime/once-a-minute.js';
import { isRpcException } from './nest-errors.js';

/**
 * Exception filters that fail rather than answer. Most are made for HTTP and registered for the whole application, so that
 * they look for a response where there is a message. Were their TypeError believed, it would hide what happened, and what
 * a pipe refused would be tried again and again.
 */
export class FailingFilters {
  private readonly logger: Logger;
  private readonly onceAMinute: OnceAMinute;

  constructor(options: { logger: Logger; clock: Clock }) {
    this.logger = options.logger;
    this.onceAMinute = new OnceAMinute(options);
  }

  /** Whether what came out of a filter is no answer to the error it was given, which then stands. Told in the log. */
  hasFailed(thrown: unknown, error: unknown): boolean {
    const isFailure =
      (thrown instanceof TypeError || thrown instanceof ReferenceError) && !isOf(error, thrown);
    if (isFailure && this.onceAMinute.says(thrown.message) !== undefined)
      this.logger.warn(
        `An exception filter failed (${describeError(thrown)}), and the error it was given stands: ${withoutPeriod(describeError(error))}. ` +
          "A filter for HTTP should leave messages alone: if (host.getType() !== 'http') return.",
      );
    return isFailure;
  }
}

/** Whether it is the error that the filter was given, or what that carries. */
function isOf(error: unknown, thrown: unknown): boolean {
  const carried = isRpcException(error) ? error.getError() : (error as { cause?: unknown })?.cause;
  return thrown === error || thrown === carried;
}
