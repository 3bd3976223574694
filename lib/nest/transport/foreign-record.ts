import { MqttRecord, NatsRecord, RmqRecord } from '@nestjs/microservices';

/**
 * What is wrong with a body that was built for another transport of Nest, if it was. It would be stored as it is: handlers
 * would look for their fields in `data`, and what its options ask for would happen to no message.
 */
export function foreignRecord(body: unknown): string | undefined {
  if (typeof body !== 'object' || body === null) return undefined;
  // Runs for each message.
  const isOne =
    body instanceof RmqRecord || body instanceof NatsRecord || body instanceof MqttRecord;
  return isOne
    ? `the body is a record of another transport (${body.constructor.name}), whose handlers would get its data and options as the body; make it with RivuletRecordBuilder, or send the data alone`
    : undefined;
}
