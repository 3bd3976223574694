import { HttpException } from '@nestjs/common';
import { RpcException } from '@nestjs/microservices';

// What a guard or a pipe of a shared package throws may come from another copy of Nest, which `instanceof` does not know.

export function isHttpException(error: unknown): error is HttpException {
  return error instanceof HttpException || descends(error, 'HttpException', 'getStatus');
}

export function isRpcException(error: unknown): error is RpcException {
  return error instanceof RpcException || descends(error, 'RpcException', 'getError');
}

function descends(error: unknown, name: string, method: string): boolean {
  if (!(error instanceof Error)) return false;
  for (let at = prototypeOf(error); at !== null; at = prototypeOf(at))
    if (at.constructor.name === name && typeof Reflect.get(at, method) === 'function') return true;
  return false;
}

function prototypeOf(value: object): object | null {
  return Object.getPrototypeOf(value) as object | null;
}
