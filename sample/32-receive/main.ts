// A job takes messages by hand: it says how many, for how long they are hidden, and what became of each.
import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { MessageConsumer, MessageProducer, RivuletModule } from 'nestjs-rivulet';

@Module({
  imports: [
    RivuletModule.forRoot({
      connection: process.env.REDIS_URL ?? 'redis://localhost:6379',
      namespace: 'sample-receive',
      group: 'nightly-report',
      consume: false,
      topics: { queues: 1 },
    }),
  ],
})
class AppModule {}

const app = await NestFactory.createApplicationContext(AppModule, { logger: ['error'] });
const producer = app.get(MessageProducer);
const consumer = app.get(MessageConsumer);
const receive = (invisibleDurationMs: number) =>
  consumer.receive({ topic: 'sales', max: 10, waitMs: 10_000, invisibleDurationMs });

for (const cents of [100, 250, -1, 400]) await producer.send('sales', { cents });

let sum = 0;
for (const { body, receipt } of await receive(1_500)) {
  const { cents } = body as { cents: number };
  if (cents < 0) {
    await consumer.reject(receipt, 'a sale below zero');
    console.log('rejected: a sale below zero');
  } else if (cents < 400) {
    sum += cents;
    await consumer.ack(receipt);
  }
}
console.log(`sum ${sum}`);

// The one that was neither acked nor rejected comes back.
for (const { body, attempt, receipt } of await receive(60_000)) {
  sum += (body as { cents: number }).cents;
  await consumer.ack(receipt);
  console.log(`sum ${sum} after attempt ${attempt}`);
}
await app.close();
