import { HttpException, HttpStatus } from '@nestjs/common';
import { RpcException } from '@nestjs/microservices';
import { isObservable, lastValueFrom, type Observable } from 'rxjs';
import type { Responder } from '../core/consumer/responder.js';

/** What a requester sees of an error: the same as from the transports that come with Nest. */
export function errorPayload(error: unknown): unknown {
  if (error instanceof RpcException) {
    const payload = error.getError();
    return typeof payload === 'object' ? payload : failure(payload);
  }
  // The text of any other error may tell secrets; those of refusals are made for callers.
  if (
    error instanceof HttpException &&
    error.getStatus() < HttpStatus.INTERNAL_SERVER_ERROR.valueOf()
  )
    return failure(error.message);
  return failure('Internal server error');
}

function failure(message: string): { status: 'error'; message: string } {
  return { status: 'error', message };
}

/** Waits for the end of what a handler returned; the values of a stream are of no use to anybody. */
export async function completed(result: unknown): Promise<void> {
  if (isObservable(result)) await lastValueFrom(result, { defaultValue: undefined });
}

/**
 * Answers a request with what its handler returned: one value, or each value of an Observable or an async iterable.
 * Nothing at all (undefined, or a stream without values) is an answer without a value. Resolves when all is sent.
 *
 * @throws what the stream fails with; the answer has not ended then.
 */
export async function answer(result: unknown, responder: Responder): Promise<void> {
  if (isObservable(result)) return answerObservable(result, responder);
  if (isAsyncIterable(result)) {
    for await (const value of result) await responder.value(value);
    return responder.end();
  }
  return result === undefined ? responder.end() : responder.lastValue(result);
}

/** Values of one turn of the event loop wait for its end: mostly the last one comes together with the end. */
function answerObservable(values: Observable<unknown>, responder: Responder): Promise<void> {
  return new Promise((resolve, reject) => {
    let held: unknown[] = [];
    const flush = (): void => {
      for (const value of held.splice(0)) void responder.value(value);
    };
    values.subscribe({
      next: (value) => {
        if (held.push(value) === 1) process.nextTick(flush);
      },
      error: (error: unknown) => {
        flush();
        reject(error as Error);
      },
      complete: () => {
        const last = held.pop();
        flush();
        resolve(last === undefined ? responder.end() : responder.lastValue(last));
      },
    });
  });
}

function isAsyncIterable(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value;
}
