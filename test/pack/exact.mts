// Options that are undefined: a compiler with exactOptionalPropertyTypes tells them from those that are left out.
import {
  defineTopic,
  type MessageAdmin,
  type MessageConsumer,
  type MessageProducer,
  RivuletModule,
  RivuletRecordBuilder,
  Subscribe,
  SubscribeBatch,
} from 'nestjs-rivulet';

interface Open {
  text: string | undefined;
  number: number | undefined;
  date: Date | undefined;
  boolean: boolean | undefined;
}

export const declared = ({ text, number, boolean }: Open) => [
  defineTopic('orders', { queues: number, schema: undefined }),
  Subscribe('orders', {
    group: text,
    concurrency: number,
    ordered: boolean,
    retry: { maxAttempts: number, backoff: { fromMs: 5, jitter: number } },
    idempotent: { ttlMs: number },
  }),
  SubscribeBatch('orders', { group: text, batch: { size: number } }),
  RivuletModule.forRoot({
    connection: 'redis://localhost',
    group: text,
    consume: boolean,
    drainMs: number,
    producer: { acks: { replicas: 1, timeoutMs: number }, sendTimeoutMs: number },
    topics: undefined,
    isGlobal: boolean,
  }),
];

export const sent = (producer: MessageProducer, { text, number, date }: Open) => [
  producer.send('orders', {}, { key: text, messageGroup: text, delayMs: number, deliverAt: date }),
  producer.sendBatch('orders', [{ body: {}, key: text }]),
  producer.sendAll([{ topic: 'orders', body: {}, key: text }], { timeoutMs: number }),
  producer.request('orders', {}, { timeoutMs: number, key: text }),
  producer.sendRecurring('orders', {}, { name: 'daily', cron: '0 6 * * *', timezone: text }),
  new RivuletRecordBuilder({}).setOptions({ key: text, acks: undefined }),
];

export const operated = (admin: MessageAdmin, { text, number, date, boolean }: Open) => [
  admin.listDeadLetters('orders', 'billing', { after: text, limit: number }),
  admin.redriveDeadLetters('orders', 'billing', { perSecond: number, force: boolean }),
  admin.listScheduled('orders', { after: text, from: date }),
  admin.findByKey('orders', 'a', { from: date, limit: number }),
  admin.listParkedLanes('orders', 'billing', { limit: number }),
  admin.deleteGroup('orders', 'billing', { force: boolean }),
];

export const received = (consumer: MessageConsumer, { text, number }: Open) =>
  consumer.receive({ topic: 'orders', group: text, max: number, invisibleDurationMs: 5_000 });
