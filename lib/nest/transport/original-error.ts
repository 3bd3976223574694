import {
  type CallHandler,
  type ExecutionContext,
  ForbiddenException,
  type NestInterceptor,
  UseInterceptors,
} from '@nestjs/common';
import { RpcException } from '@nestjs/microservices';
import { catchError, type Observable } from 'rxjs';
import { RivuletContext } from '../rivulet-context.js';

const KEPT = Symbol('original error');
const HAS_KEEPER = 'nestjs-rivulet:keeps-original-error';

type Keeping = RivuletContext & { [KEPT]?: unknown };

/**
 * Keeps the error a handler or its pipes threw: what Nest hands to a transport is "Internal server error".
 *
 * `RivuletModule` adds it to the handlers of its application. Where there is no such module, add it to the microservice:
 * `app.useGlobalInterceptors(new OriginalErrorInterceptor())`.
 */
export class OriginalErrorInterceptor implements NestInterceptor {
  intercept(execution: ExecutionContext, next: CallHandler): Observable<unknown> {
    const context: unknown =
      execution.getType() === 'rpc' ? execution.switchToRpc().getContext() : undefined;
    if (!(context instanceof RivuletContext)) return next.handle();
    return next.handle().pipe(
      catchError((error: unknown) => {
        (context as Keeping)[KEPT] = error;
        throw error;
      }),
    );
  }
}

/**
 * As if the method had been decorated with `@UseInterceptors`. An application cannot do this for itself alone, but it
 * does nothing to contexts that are not ours, and once is enough for all.
 */
export function keepOriginalErrors(prototype: object, method: string): void {
  const descriptor = Object.getOwnPropertyDescriptor(owner(prototype, method), method)!;
  if (Reflect.hasMetadata(HAS_KEEPER, descriptor.value as object)) return;
  Reflect.defineMetadata(HAS_KEEPER, true, descriptor.value as object);
  UseInterceptors(new OriginalErrorInterceptor())(prototype, method, descriptor);
}

/** The error behind the one that Nest gave: what was thrown, if it is known. */
export function originalError(given: unknown, context: RivuletContext): unknown {
  // An Error comes through as it is when a filter threw it, or an RpcException carried it.
  if (given instanceof Error) return given;
  if (KEPT in context) return (context as Keeping)[KEPT];
  return isDenial(given) ? new ForbiddenException('Forbidden resource') : asException(given);
}

/** What Nest makes of a guard that answered false. */
function isDenial(given: unknown): boolean {
  const { status, message } = (given ?? {}) as { status?: unknown; message?: unknown };
  return status === 'error' && message === 'Forbidden resource';
}

function asException(given: unknown): RpcException {
  return new RpcException(typeof given === 'object' && given !== null ? given : String(given));
}

function owner(prototype: object, method: string): object {
  let at = prototype;
  while (!Object.hasOwn(at, method)) at = Object.getPrototypeOf(at) as object;
  return at;
}
