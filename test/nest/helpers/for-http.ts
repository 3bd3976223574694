import { type ArgumentsHost, Catch, type ExceptionFilter } from '@nestjs/common';

/** As Nest's manual has it: it writes to a response, which a message has not. */
@Catch()
export class ForHttp implements ExceptionFilter {
  catch(_error: unknown, host: ArgumentsHost) {
    host.switchToHttp().getResponse<{ status(code: number): void }>().status(500);
  }
}
