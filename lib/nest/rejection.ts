import { HttpStatus } from '@nestjs/common';
import type { RpcException } from '@nestjs/microservices';
import { messageOf } from '../core/consumer/outcome.js';
import { isHttpException, isRpcException, problemOf } from './nest-errors.js';

const REFUSALS: ReadonlySet<unknown> = new Set([
  HttpStatus.BAD_REQUEST,
  HttpStatus.UNAUTHORIZED,
  HttpStatus.FORBIDDEN,
  HttpStatus.UNPROCESSABLE_ENTITY,
]);

/** What Nest says of a guard that answered false, to a handler of a microservice. */
const DENIED = 'Forbidden resource';

/**
 * Why no attempt will succeed, if the error says so: what a guard denies or a pipe finds invalid is the same next time.
 * Nest speaks of that in HTTP: 400, 401, 403 and 422, whoever throws them, as an HttpException or as the `status` or
 * `statusCode` of what an RpcException says. Anything else a guard throws (its database is down, say) is tried again.
 */
export function rejection(error: unknown): string | undefined {
  if (isRpcException(error)) return rejectionOfRpc(error);
  if (!isHttpException(error) || !REFUSALS.has(error.getStatus())) return undefined;
  return `${error.name}: ${problemOf(error)}`;
}

function rejectionOfRpc(error: RpcException): string | undefined {
  const said = error.getError();
  if (said === DENIED) return `ForbiddenException: ${DENIED}`;
  if (said instanceof Error) return rejection(said);
  if (typeof said !== 'object' || said === null) return undefined;
  const { status, statusCode = status } = said as { status?: unknown; statusCode?: unknown };
  return REFUSALS.has(statusCode) ? `RpcException: ${messageOf(error)}` : undefined;
}
