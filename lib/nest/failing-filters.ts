import { withoutPeriod } from '../core/message/sentence.js';
import type { Clock } from '../core/runtime/clock.js';
import type { Logger } from '../core/runtime/logger.js';
import { OnceAMinute } from '../core/runtime/once-a-minute.js';
import { stackOf } from './failed-request.js';
import { describeNestError, isRpcException } from './nest-errors.js';

/**
 * Judges what came out of exception filters. Most are made for HTTP and registered for the whole application, so that they
 * look for a response where there is a message. Were their TypeError believed, it would hide what happened, and what a pipe
 * refused would be tried again and again.
 */
export class FailingFilters {
  private readonly logger: Logger;
  private readonly onceAMinute: OnceAMinute;

  constructor(options: { logger: Logger; clock: Clock }) {
    this.logger = options.logger;
    this.onceAMinute = new OnceAMinute(options);
  }

  /** The error that counts: `thrown`, or, where the filter failed itself, the one it was given. The log tells that. */
  judge(thrown: Error, given: unknown): unknown {
    if (!isFailure(thrown, given)) return thrown;
    if (this.onceAMinute.says(thrown.message) !== undefined)
      this.logger.warn(
        `An exception filter failed itself, so the error it was given counts: ${withoutPeriod(describeNestError(given))}. ` +
          "If it was made for HTTP, let it begin with: if (host.getType() !== 'http') return. " +
          `To replace an error, throw another class than TypeError or ReferenceError. The filter failed with ${stackOf(thrown)}`,
      );
    return given;
  }
}

/** A TypeError or ReferenceError of the filter's own: neither the error it was given nor what that carries. */
function isFailure(thrown: Error, given: unknown): boolean {
  if (!(thrown instanceof TypeError || thrown instanceof ReferenceError)) return false;
  const carried = isRpcException(given) ? given.getError() : (given as { cause?: unknown })?.cause;
  return thrown !== given && thrown !== carried;
}
