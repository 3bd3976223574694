import type { ArgumentsHost } from '@nestjs/common';
import { RpcExceptionsHandler } from '@nestjs/microservices/exceptions/rpc-exceptions-handler.js';
import { throwError } from 'rxjs';
import { errorPayload, UNKNOWN_ERROR } from '../failed-request.js';
import type { FailingFilters } from '../failing-filters.js';
import { isRpcException } from '../nest-errors.js';
import { RivuletContext } from '../rivulet-context.js';

/** Where Nest brings every error of a handler: of its guards, interceptors and pipes, its own, that of its Observable. */
interface ExceptionsHandler {
  handle(error: unknown, host: ArgumentsHost, ...more: unknown[]): unknown;
  /** The answer of the exception filter that matches, or something falsy. */
  invokeCustomFilters(error: unknown, host: ArgumentsHost): unknown;
}

const KEPT = Symbol('original error');
const KEEPS = Symbol('keeps original errors');

type Keeping = RivuletContext & { [KEPT]?: unknown };

/** What no exception filter took. */
class Unfiltered {
  readonly error: unknown;

  constructor(error: unknown) {
    this.error = error;
  }
}

/**
 * Lets a transport see what a handler failed with. Nest makes "Internal server error" of it, which is right for a caller
 * and tells nothing to whoever decides about another attempt; and it logs the error, which core does already.
 *
 * It is done where Nest keeps it, in the prototype of its exceptions handler: no interceptor sees the errors of guards,
 * no exception filter can be the last one. Handlers of other transports are not affected. Safe to repeat.
 */
export function keepOriginalErrors(): void {
  const prototype = RpcExceptionsHandler.prototype as unknown as ExceptionsHandler;
  if (Object.hasOwn(prototype, KEEPS)) return;
  // oxlint-disable-next-line typescript/unbound-method -- called with its own `this` below
  const { handle } = prototype;
  Object.defineProperty(prototype, KEEPS, { value: true });
  prototype.handle = function (error, host, ...more) {
    const context: unknown = host.switchToRpc().getContext();
    if (!(context instanceof RivuletContext)) return handle.call(this, error, host, ...more);
    (context as Keeping)[KEPT] = error;
    return this.invokeCustomFilters(error, host) || throwError(() => new Unfiltered(error));
  };
}

/** What a handler Nest made has failed with. Where an exception filter failed itself, that is what the filter was given. */
export function afterFailedFilter(
  thrown: unknown,
  context: RivuletContext,
  failing: FailingFilters,
): unknown {
  if (!(KEPT in context) || !(thrown instanceof Error)) return thrown;
  const given = (context as Keeping)[KEPT];
  return failing.judge(thrown, given) === thrown ? thrown : new Unfiltered(given);
}

/** The error behind the one that a handler Nest made has failed with: what was thrown, or what a filter made of it. */
export function originalError(given: unknown, context: RivuletContext): unknown {
  if (given instanceof Unfiltered) return carried(given.error);
  // A filter that throws an Error replaces it; anything else is what a remote caller may see.
  const isReplaced = given instanceof Error || !(KEPT in context);
  return carried(isReplaced ? given : (context as Keeping)[KEPT]);
}

/** What a requester sees of the error: the same as from the transports that come with Nest. */
export function payloadForCaller(given: unknown): unknown {
  if (given instanceof Unfiltered)
    return isRpcException(given.error) ? errorPayload(carried(given.error)) : UNKNOWN_ERROR;
  // What a filter answers is meant for the caller, unless it is an Error.
  return given instanceof Error ? errorPayload(given) : given;
}

/** An RpcException may carry the error that is meant, so that it passes the filters of Nest. */
function carried(error: unknown): unknown {
  const inner = isRpcException(error) ? error.getError() : undefined;
  return inner instanceof Error ? inner : error;
}
