// Of the module, not the global one: see core/runtime/turn.ts.
import { nextTick } from 'node:process';
import { RpcException } from '@nestjs/microservices';
import { concatMap, from, isObservable, type Observable, of, tap } from 'rxjs';
import { isGenerator } from '../core/consumer/generator.js';
import { isAsyncIterable } from '../core/consumer/replying.js';
import type { Responder } from '../core/consumer/responder.js';

/** Something that is given up when its signal aborts. */
interface Abortable {
  readonly signal: AbortSignal;
}

/** What a handler returned; of an Observable or a generator the last value, once it has ended: what a generator returns, if anything. */
export async function lastOf(result: unknown, delivery: Abortable): Promise<unknown> {
  if (isGenerator(result)) return lastOf(from(withReturned(result)), delivery);
  if (!isObservable(result)) return result;
  let last: unknown;
  // An interceptor makes an Observable of whatever the handler returns. No operator: every event goes through here.
  let generators: unknown[] | undefined;
  const each = (value: unknown): void => {
    last = value;
    if (isGenerator(value)) (generators ??= []).push(value);
  };
  await drained(result, each, delivery);
  for (const generator of generators ?? []) {
    const ended = await lastOf(generator, delivery);
    if (generator === last) last = ended;
  }
  return last;
}

async function* withReturned(generator: AsyncGenerator | Generator): AsyncGenerator {
  const returned: unknown = yield* generator;
  if (returned !== undefined) yield returned;
}

/**
 * Answers a request with what its handler returned: one value, or each value of an Observable, an async iterable or a generator.
 * Nothing at all (undefined, or a stream without values) is an answer without a value. Resolves when all is sent.
 *
 * @throws what the stream fails with; the answer has not ended then.
 */
export function answer(result: unknown, responder: Responder, delivery: Abortable): Promise<void> {
  if (isObservable(result)) return answerObservable(result, responder, delivery);
  if (isAsyncIterable(result) || isGenerator(result))
    return answerEach(result, responder, delivery);
  return result === undefined ? responder.end() : responder.lastValue(result);
}

/** Given up at the first value that comes after the signal: the next one is not asked for, and a generator ends there. */
async function answerEach(
  values: AsyncIterable<unknown> | Iterable<unknown>,
  responder: Responder,
  { signal }: Abortable,
): Promise<void> {
  for await (const value of values) {
    signal.throwIfAborted();
    await responder.value(value);
  }
  return responder.end();
}

/**
 * A value waits for the next, or for the end of its turn of the event loop: mostly the end of the stream comes with it.
 *
 * @throws RpcException when values come faster than the store takes them: an Observable cannot be asked to wait.
 */
async function answerObservable(
  values: Observable<unknown>,
  responder: Responder,
  delivery: Abortable,
): Promise<void> {
  const held: unknown[] = [];
  const flush = (): void => {
    for (const value of held.splice(0)) void responder.value(value);
  };
  const hold = (value: unknown): void => {
    if (held.length === 0) nextTick(flush);
    else flush();
    held.push(value);
  };
  const refuse = (): void => {
    if (responder.isBehind) throw new RpcException(TOO_FAST);
  };
  const each = (value: unknown): Observable<unknown> =>
    isAsyncIterable(value) || isGenerator(value)
      ? from(paced(value, responder))
      : of(value).pipe(tap(refuse));
  let last: unknown;
  try {
    await drained(values.pipe(concatMap(each)), hold, delivery);
    last = held.pop();
  } finally {
    flush();
  }
  return last === undefined ? responder.end() : responder.lastValue(last);
}

/** The one subscription to a handler's Observable. It ends with the delivery's signal, too. */
function drained(
  values: Observable<unknown>,
  next: (value: unknown) => void,
  delivery: Abortable,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const subscription = values.subscribe({ next, error: reject, complete: resolve });
    if (subscription.closed) return;
    const { signal } = delivery;
    const giveUp = (): void => {
      subscription.unsubscribe();
      reject(signal.reason as Error);
    };
    if (signal.aborted) return giveUp();
    signal.addEventListener('abort', giveUp, { once: true });
    subscription.add(() => signal.removeEventListener('abort', giveUp));
  });
}

const TOO_FAST =
  'The values of the answer come faster than they can be sent: as many bytes wait as requests.maxInboxBytes of who answers allows. ' +
  'Answer with an async generator, which is asked for a value when the ones before are sent';

/**
 * Values of an async iterable, each asked for when those before it are sent. It comes within an Observable since an interceptor
 * makes one of whatever the handler returns.
 */
async function* paced(
  values: AsyncIterable<unknown> | Iterable<unknown>,
  responder: Responder,
): AsyncGenerator<unknown, void> {
  for await (const value of values) {
    yield value;
    await responder.sent();
  }
}
