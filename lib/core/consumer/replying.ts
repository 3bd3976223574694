import type { Delivery, Handler } from './subscription.js';
import type { Responder } from './responder.js';
import { isGenerator, runToEnd } from './generator.js';
import { describeError } from './outcome.js';

/**
 * A handler whose result is the answer to a request. An error is an answer, too, and never a retry: whoever asked
 * knows, and asks again if it wants to. An async iterable or a generator answers with each of its values; where nobody waits
 * for an answer it is read to its end, and errors are failures as usual.
 */
export function replying(
  handler: Handler,
  responderFor: (delivery: Delivery) => Responder,
): Handler {
  return async (delivery) => {
    if (delivery.message.replyTo === undefined) return toTheEnd(await handler(delivery), delivery);
    const responder = responderFor(delivery);
    try {
      const result = await handler(delivery);
      if (!isAsyncIterable(result) && !isGenerator(result))
        return await responder.lastValue(result);
      for await (const value of result) await responder.value(value);
      return await responder.end();
    } catch (error) {
      return responder.error({ status: 'error', message: describeError(error) });
    }
  };
}

/** What makes the values may do nothing until somebody asks for them, as a generator. */
async function toTheEnd(result: unknown, { signal }: Delivery): Promise<unknown> {
  if (isGenerator(result)) return runToEnd(result, () => signal.throwIfAborted());
  if (!isAsyncIterable(result)) return result;
  for await (const _ of result) signal.throwIfAborted();
  return undefined;
}

export function isAsyncIterable(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value;
}
