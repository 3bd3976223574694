import type { BaseRpcContext } from '@nestjs/microservices';
import { isObservable, type Observable } from 'rxjs';
import { isThenable } from '../core/runtime/thenable.js';
import type { HandlerParam } from './surroundings.js';

/**
 * Calls a method that has neither guards, interceptors nor pipes as Nest would, without the promises that Nest makes
 * for each call. What ends at once is answered at once.
 */
export function directCall(options: {
  method(this: void, args: unknown[]): unknown;
  params: readonly HandlerParam[];
  /** What the exception filters make of an error. */
  rescue(error: unknown, args: unknown[]): unknown;
  /** Sends errors of an Observable to the exception filters. */
  observed(result: Observable<unknown>, args: unknown[]): unknown;
}): (body: unknown, context: BaseRpcContext) => unknown {
  const { method, params, rescue, observed } = options;
  const length = Math.max(...params.map(({ index }) => index + 1), 0);
  return (body, context) => {
    const given: unknown[] = [body, context];
    const taken = (result: unknown): unknown =>
      isObservable(result) ? observed(result, given) : result;
    try {
      const args = length === 0 ? given : [];
      // Not `fill`, which is a call into V8 for each message.
      while (args.length < length) args.push(undefined);
      for (const { index, extractValue } of params) args[index] = extractValue(body, context);
      const result = method(args);
      if (!isThenable(result)) return taken(result);
      return Promise.resolve(result).then(taken, (error: unknown) => rescue(error, given));
    } catch (error) {
      return rescue(error, given);
    }
  };
}
