/** What other systems call an option that has another name here, where no likeness of letters leads to it. */
const OWN_WORDS: Readonly<Record<string, string>> = {
  // BullMQ
  attempts: 'retry',
  backoff: 'retry',
  deduplication: 'dedupId',
  every: 'everyMs',
  jobId: 'dedupId',
  limiter: 'rateLimit',
  pattern: 'cron',
  prefix: 'namespace',
  tz: 'timezone',
  url: 'connection',
  // Kafka
  brokers: 'connection',
  groupId: 'group',
  headers: 'properties',
  partition: 'queue',
  partitionKey: 'messageGroup',
  partitioner: 'queueSelector',
  partitions: 'queues',
  // Nest's transports of NATS and Redis
  host: 'connection',
  port: 'connection',
  servers: 'connection',
  // RabbitMQ
  expiration: 'ttlMs',
  prefetch: 'concurrency',
  prefetchCount: 'concurrency',
  urls: 'connection',
  // RocketMQ
  consumeFromWhere: 'from',
  consumeThreadMax: 'concurrency',
  consumerGroup: 'group',
  maxReconsumeTimes: 'retry',
  messageModel: 'mode',
  selectorExpression: 'filter',
  shardingKey: 'messageGroup',
  // SQS and Pub/Sub
  messageDeduplicationId: 'dedupId',
  orderingKey: 'messageGroup',
  visibilityTimeout: 'invisibleDurationMs',
};

/** The word for it here, if it is one of those that can be meant. */
export function ownWord(name: string, known: readonly string[]): string | undefined {
  const own = Object.hasOwn(OWN_WORDS, name) ? OWN_WORDS[name] : undefined;
  return own !== undefined && known.includes(own) ? own : undefined;
}
