// The public API, in the order one meets it.

// 1. Set up
export { RivuletModule } from './nest/rivulet.module.js';
export type { RivuletModuleAsyncOptions, RivuletOptionsFactory } from './nest/rivulet.module.js';
export type { RivuletModuleExtras, RivuletModuleOptions } from './nest/options.js';
export { defineTopic } from './core/message/topic.js';
export type { StandardSchema, TopicDefinition, TopicName } from './core/message/topic.js';

// 2. Send
export { MessageProducer } from './nest/message-producer.js';
export type { SendOptions, SendResult } from './core/message/message.js';

// 3. Consume
export { Subscribe } from './nest/subscribe.js';
export type { SubscribeOptions } from './nest/subscribe.js';
export { RivuletContext } from './nest/rivulet-context.js';
export { RejectMessageError, RetryLaterError } from './core/consumer/handler-errors.js';

// 4. Request and reply, Nest's transport
export { RequestFailedError, RequestTimeoutError } from './core/producer/requester.js';
export { RivuletServer } from './nest/transport/server.js';
export { RivuletClient } from './nest/transport/client.js';

// 5. Watch and operate
export { Events } from './core/runtime/events.js';
export type { DeliveryFacts } from './core/runtime/events.js';
export { MessageAdmin } from './inspect/message-admin.js';
export type { DeadLetter } from './inspect/dead-letters.js';

// 6. Errors
export { SchemaError } from './core/message/errors.js';
