import { checkInstanceName } from '../instance-names.js';

/**
 * Binds a pattern to Rivulet when an application listens on several transports:
 * `@EventPattern('orders', getTransportId())`. Patterns without a transport are handled by all of them.
 *
 * @param name of the instance; none for the default one.
 */
export function getTransportId(name?: string): symbol {
  checkInstanceName('getTransportId', name);
  return Symbol.for(name === undefined ? 'nestjs-rivulet' : `nestjs-rivulet:${name}`);
}
