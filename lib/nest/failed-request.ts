import { type HttpException, HttpStatus } from '@nestjs/common';
import { describeError, thrownAs } from '../core/consumer/outcome.js';
import type { Delivery } from '../core/consumer/subscription.js';
import type { Rivulet } from '../core/rivulet.js';
import type { Logger } from '../core/runtime/logger.js';
import { describeNestError, isHttpException, isRpcException, problemOf } from './nest-errors.js';

/** As Nest says it. */
export const UNKNOWN_ERROR = failure('Internal server error');

/** What a requester sees of an error. The text of most may tell secrets; that of refusals is made for callers. */
export function errorPayload(error: unknown): unknown {
  if (isRpcException(error)) {
    const payload = error.getError();
    return typeof payload === 'object' ? payload : failure(payload);
  }
  return isRefusal(error) ? failure(problemOf(error)) : UNKNOWN_ERROR;
}

/** The one line about a request whose answer is an error: nothing else tells the operator. */
export function logFailedRequest(logger: Logger, { message }: Delivery, error: unknown): void {
  const what = `A request to topic "${message.topic}" (message ${message.messageId}) failed`;
  if (isRpcException(error) || isRefusal(error))
    logger.warn(`${what}: ${describeNestError(error)}`);
  else logger.error(`${what}: ${stackOf(error)}`);
}

/** Answers requests whose body no handler can be given: the caller is told what is wrong with what it sent. */
export function refusing(options: {
  rivulet: Rivulet;
  logger: Logger;
}): (delivery: Delivery, error: Error) => Promise<void> {
  const { rivulet, logger } = options;
  return async (delivery, error) => {
    const { topic, messageId } = delivery.message;
    logger.warn(
      `A request to topic "${topic}" (message ${messageId}) was refused: ${error.message}`,
    );
    await rivulet.responder(delivery).error(failure(error.message));
  };
}

export function stackOf(error: unknown): string {
  return error instanceof Error && error.stack ? error.stack : describeError(thrownAs(error));
}

function isRefusal(error: unknown): error is HttpException {
  return isHttpException(error) && error.getStatus() < HttpStatus.INTERNAL_SERVER_ERROR.valueOf();
}

function failure(message: string): { status: 'error'; message: string } {
  return { status: 'error', message };
}
