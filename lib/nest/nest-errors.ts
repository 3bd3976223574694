import { describeError, messageOf } from '../core/consumer/outcome.js';
import { HttpException } from '@nestjs/common';
import { RpcException } from '@nestjs/microservices';
import { hasPrototype } from '../core/message/any-copy.js';

export function isHttpException(error: unknown): error is HttpException {
  return (
    error instanceof HttpException ||
    descends(error, 'HttpException', ['getStatus', 'getResponse', 'initMessage'])
  );
}

export function isRpcException(error: unknown): error is RpcException {
  return (
    error instanceof RpcException || descends(error, 'RpcException', ['getError', 'initMessage'])
  );
}

/** What is wrong, in words: a validation pipe puts that into the response, and "Bad Request Exception" into the message. */
export function problemOf(error: HttpException): string {
  // Nest makes no error of a response that is missing: new HttpException(upstream.data, 404).
  const response = error.getResponse() as string | { message?: unknown } | null | undefined;
  const message = typeof response === 'string' ? response : response?.message;
  if (Array.isArray(message)) return message.map(String).join('; ');
  if (typeof message === 'string') return message;
  return messageOf(error);
}

/** As `describeError`, with what an HttpException says is wrong. */
export function describeNestError(error: unknown): string {
  return describeError(isHttpException(error) ? `${error.name}: ${problemOf(error)}` : error);
}

/** What a guard or a pipe of a shared package throws may come from another copy of Nest, which `instanceof` does not know. */
function descends(error: unknown, name: string, methods: readonly string[]): boolean {
  return (
    error instanceof Error &&
    hasPrototype(
      error,
      (at) =>
        at.constructor.name === name &&
        methods.every((method) => typeof Reflect.get(at, method) === 'function'),
    )
  );
}
