import { HttpException, HttpStatus } from '@nestjs/common';

const REFUSALS: ReadonlySet<number> = new Set([
  HttpStatus.BAD_REQUEST,
  HttpStatus.UNAUTHORIZED,
  HttpStatus.FORBIDDEN,
  HttpStatus.UNPROCESSABLE_ENTITY,
]);

/**
 * Why no attempt will succeed, if the error says so: what a guard denies or a pipe finds invalid is the same next time.
 * Nest speaks of that in HTTP: 400, 401, 403 and 422, whoever throws them.
 */
export function rejection(error: unknown): string | undefined {
  if (!(error instanceof HttpException) || !REFUSALS.has(error.getStatus())) return undefined;
  return `${error.name}: ${detail(error)}`;
}

/** A validation pipe puts what it found into the response, and "Bad Request Exception" into the message. */
function detail(error: HttpException): string {
  const response = error.getResponse();
  const message =
    typeof response === 'string' ? response : (response as { message?: unknown }).message;
  if (Array.isArray(message)) return message.map(String).join('; ');
  return typeof message === 'string' ? message : error.message;
}
