import type { ServerResponse } from 'node:http';
import { type ArgumentsHost, Catch, type ExceptionFilter } from '@nestjs/common';
import { RequestFailedError, SchemaError } from 'nestjs-rivulet';

/** An order that makes no sense is the customer's mistake, not ours. */
@Catch(SchemaError, RequestFailedError)
export class RefusedOrderFilter implements ExceptionFilter {
  catch({ message }: Error, host: ArgumentsHost): void {
    const response = host.switchToHttp().getResponse<ServerResponse>();
    response.writeHead(400, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ statusCode: 400, message }));
  }
}
