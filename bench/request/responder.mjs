// One controller for both transports: it answers with what it was asked. Nest's own transport has no limit on how
// many handlers run at once and knows nothing of the extras.
import { Controller } from '@nestjs/common';
import { MessagePattern, Payload } from '@nestjs/microservices';
import { decorate, decorateMethod, decorateParameter } from '../decorate.mjs';

export const PATTERN = 'echo';

export class Responder {
  echo(body) {
    return body;
  }
}
decorate(Responder, [Controller()]);
decorateMethod(Responder, 'echo', [MessagePattern(PATTERN, { concurrency: 100 })]);
decorateParameter(Responder, 'echo', 0, Payload());
