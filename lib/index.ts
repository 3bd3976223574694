// The public API, in the order one meets it.

// 1. Set up: one module, one connection
export { RivuletModule } from './nest/rivulet.module.js';
export type { RivuletModuleAsyncOptions, RivuletOptionsFactory } from './nest/rivulet.module.js';
export type { RivuletModuleExtras, RivuletModuleOptions } from './nest/options.js';
export type { ClusterConnection, ClusterSeed } from './redis/cluster-options.js';
export type { RedisFactory } from './redis/connection-factory.js';
export type { RedisConnection } from './redis/connection-options.js';

// 2. Topics: what two services share
export { defineTopic } from './core/message/topic.js';
export type {
  StandardSchema,
  TopicDefinition,
  TopicDefinitionOptions,
  TopicName,
  WhenFull,
} from './core/message/topic.js';

// 3. Send
export { MessageProducer } from './nest/message-producer.js';
export type { OutgoingPacket } from './nest/message-producer.js';
export type { Acks, AcksLevel } from './core/message/acks.js';
export type {
  OutgoingMessage,
  Properties,
  PropertyValue,
  QueueSelector,
  SendOptions,
  SendResult,
} from './core/message/message.js';
export type { RecurringOptions, RecurringSend } from './core/producer/recurring-sends.js';
export type {
  CalendarRecurrence,
  PeriodicRecurrence,
  Recurrence,
} from './core/producer/recurrence.js';
export { delayLevel } from './core/message/delay-level.js';
export type { DelayLevel } from './core/message/delay-level.js';
export type { MessageId } from './core/message/message-id.js';
export { ReceiptTimeoutError } from './core/producer/receipt.js';
export type { GroupOutcome } from './core/message/receipt-packet.js';
export { BatchSendError } from './core/producer/send-batch.js';
export type { BatchItem } from './core/producer/send-batch.js';
export { murmur2 } from './core/message/murmur2.js';
export {
  hashedQueue,
  randomQueue,
  roundRobinQueue,
  stickyBatchQueue,
} from './core/producer/queue-selectors.js';
export { selectQueue } from './core/producer/queue-selector.js';

// 4. Transactions: rows and messages, both or neither
export { Transactional, Transactional as TransactionalMessage } from './nest/transactional.js';
export type {
  MessageFirstOptions,
  TransactionalDecorator,
  TransactionalOptions,
  TransactionMessage,
} from './nest/transactional.js';
export { TransactionCheck } from './nest/transaction-check.js';
export type {
  CheckAnswer,
  TransactionCheckDecorator,
  TransactionCheckOptions,
} from './nest/transaction-check.js';
export type { HalfMessage } from './core/transaction/check-methods.js';
export { Transactions } from './core/transaction/transactions.js';
export type { TransactionOptions } from './core/transaction/transaction-options.js';
export type { PrepareOptions } from './core/transaction/half-first.js';
export { AlreadyDecidedError } from './core/transaction/prepared-message.js';
export type { SendAllOptions, SetMessage } from './core/transaction/message-set.js';
export type { PreparedMessage } from './core/transaction/prepared-message.js';
export type { TransactionParticipant } from './core/transaction/participant.js';
export { InboxBusyError, MarkerRefusedError } from './core/transaction/participant-errors.js';
export {
  BrokerUnavailableError,
  InDoubtError,
  TopicKeepsChangingError,
  TransactionEndedError,
  UnmanagedTransactionError,
} from './core/transaction/errors.js';

// 5. Consume
export { Subscribe } from './nest/subscribe.js';
export type { HandlerOptions, SubscribeDecorator, SubscribeOptions } from './nest/subscribe.js';
export { SubscribeBatch } from './nest/subscribe-batch.js';
export type { SubscribeBatchOptions } from './nest/subscribe-batch.js';
export { BatchResult } from './core/consumer/batch/batch-result.js';
export type { BatchOptions } from './core/consumer/batch/batch-options.js';
export { BatchContext } from './nest/batch-context.js';
export { MessageConsumer } from './nest/message-consumer.js';
export type { ReceiveOptions } from './nest/message-consumer.js';
export type { ReceivedMessage } from './core/consumer/pull/puller.js';
export { ReceiptExpiredError } from './core/consumer/pull/receipt.js';
export { RivuletContext } from './nest/rivulet-context.js';
export type { Metadata } from './nest/metadata.js';
export {
  allocateAveragely,
  allocateByCircle,
  allocateConsistentHash,
  allocateSticky,
  allocateToOne,
} from './core/consumer/ordered/allocation.js';
export type {
  Allocation,
  AllocationStrategy,
  Sharing,
} from './core/consumer/ordered/allocation.js';
export type { OnExhausted } from './core/consumer/ordered/settle-ordered.js';
export type { MessageView } from './core/message/message.js';
export type { ExponentialBackoff, RetryOptions } from './core/consumer/retry-policy.js';
export type { SubscriptionMode } from './core/consumer/subscription.js';
export type { IdempotentOptions } from './core/idempotency/idempotent-options.js';
export type { StartFrom } from './core/store/refs.js';
export {
  HandlerTimeoutError,
  RejectMessageError,
  RetryLaterError,
} from './core/consumer/handler-errors.js';

// 6. Choose: filters and topic patterns, for handlers and for tools
export { headers, selector, tags } from './core/filter/message-filter.js';
export type { Filterable, MessageFilter } from './core/filter/message-filter.js';
export { compileSelector } from './core/filter/selector.js';
export type { SelectorLimits } from './core/filter/selector.js';
export { compileTags } from './core/filter/tag-expression.js';
export type { HeaderMatch, WantedHeaders } from './core/filter/header-match.js';
export { compileTopicPattern } from './core/filter/topic-pattern.js';
export { FilterSyntaxError, SelectorSyntaxError } from './core/filter/filter-error.js';

// 7. Ask and answer
export { DuplicateRequestError } from './core/producer/asked-once.js';
export { RequestFailedError, RequestTimeoutError } from './core/producer/requester.js';
export type { RequestOptions } from './core/producer/requester.js';

// 8. Nest's microservices: the same engine behind its own decorators and clients
export { RivuletServer } from './nest/transport/server.js';
export type { RivuletServerOptions, TransportEvents } from './nest/transport/server.js';
export { RivuletClient } from './nest/transport/client.js';
export { RivuletRecord, RivuletRecordBuilder } from './nest/transport/record-builder.js';
export { getTransportId } from './nest/transport/transport-id.js';
export type { ConnectionStatus } from './nest/transport/status.js';

// 9. Operate
export { MessageAdmin } from './inspect/message-admin.js';
export type { DeadLetter, DeadLetterFilter, DeadLetterPage } from './inspect/dead-letters.js';
export type { RewindTarget } from './inspect/rewind.js';
export type { ParkedLane, ParkedLanesOptions } from './inspect/parked-lanes.js';
export type { QueueGate } from './core/store/queue-lease-store.js';
export type { GroupDescription } from './inspect/groups.js';
export type { DecidedHalf, Half, HalfPage } from './inspect/halves.js';
export type { ScheduledMessage, ScheduledPage } from './inspect/scheduled.js';
export type { PausedGroup } from './core/store/pause-store.js';
export type { Health } from './inspect/health.js';
export { RivuletHealth } from './nest/rivulet-health.js';
export type { HealthCheckResult } from './nest/rivulet-health.js';
export type { Durability, StoreHealth, StoreProblem } from './core/runtime/store-health.js';
export type { TopicDescription } from './inspect/topics.js';
export {
  GroupNotFoundError,
  HalvesWaitingError,
  InUseError,
  StillCheckedError,
  TopicExistsError,
} from './inspect/errors.js';
export { Events } from './core/runtime/events.js';
export type {
  DeliveryFacts,
  IdleGroup,
  RivuletEventName,
  RivuletEvents,
} from './core/runtime/events.js';
export type { IdleGroupFacts, IdleGroupSettings } from './core/consumer/idle-group-settings.js';
export type { Telemetry } from './core/runtime/telemetry.js';

// 10. Several instances, tests, and bodies that are not JSON
export {
  getAdminToken,
  getClientToken,
  getConsumerToken,
  getEventsToken,
  getHealthToken,
  getOptionsToken,
  getProducerToken,
  getRivuletToken,
  getServerToken,
  getStoresToken,
  getTransactionsToken,
  InjectAdmin,
  InjectClient,
  InjectConsumer,
  InjectEvents,
  InjectHealth,
  InjectProducer,
  InjectRivulet,
  InjectTransactions,
} from './nest/tokens.js';
export { Rivulet } from './core/rivulet.js';
export type { Stores } from './core/store/stores.js';
export { systemClock } from './core/runtime/clock.js';
export type { Clock } from './core/runtime/clock.js';
export type { Logger } from './core/runtime/logger.js';
export type { Codec, CodecContext } from './core/message/codec.js';

// 11. Errors: branch on `code`
export {
  AcksMissedError,
  ClosedError,
  CodecError,
  FlowBlockedError,
  InvalidInputError,
  InvalidOptionsError,
  LimitReachedError,
  ProducerBufferFullError,
  RivuletError,
  SchemaError,
  SendFailedError,
  SendOutcomeUnknownError,
  StoreRefusedError,
  StoreUnavailableError,
  TopicFullError,
  TopicNotFoundError,
  UnroutableMessageError,
} from './core/message/errors.js';
export { DuplicateSubscriptionError } from './core/consumer/duplicate-subscription.js';
