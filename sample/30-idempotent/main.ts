// The same payment arrives twice, and is paid once.
import 'reflect-metadata';
import { randomUUID } from 'node:crypto';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Payload } from '@nestjs/microservices';
import { Events, MessageProducer, RivuletModule, Subscribe } from 'nestjs-rivulet';

interface Payment {
  id: string;
  cents: number;
}

@Injectable()
class Bank {
  /** Two messages with one key are the same work, whoever sent them and however often. */
  @Subscribe('payments', {
    group: 'bank',
    idempotent: { key: (_, payment: Payment) => payment.id, storeResult: true },
    reply: true,
  })
  pay(@Payload() payment: Payment): { paid: number } {
    console.log(`the bank pays ${payment.cents}`);
    return { paid: payment.cents };
  }
}

@Module({
  imports: [
    RivuletModule.forRoot({
      connection: process.env.REDIS_URL ?? 'redis://localhost:6379',
      namespace: 'sample-idempotent',
    }),
  ],
  providers: [Bank],
})
class AppModule {}

const app = await NestFactory.createApplicationContext(AppModule, { logger: ['error'] });
const producer = app.get(MessageProducer);
const events = app.get(Events);
const payment = { id: randomUUID(), cents: 1250 };

const acked = events.next('acked');
await producer.send('payments', payment);
await acked;

const duplicate = events.next('duplicate');
await producer.send('payments', payment);
console.log(`paid again: ${(await duplicate).dedupKey !== payment.id}`);

const order = { id: randomUUID(), cents: 990 };
console.log('answer:', JSON.stringify(await producer.request('payments', order)));
console.log(
  'answer to the same request:',
  JSON.stringify(await producer.request('payments', order)),
);
await app.close();
