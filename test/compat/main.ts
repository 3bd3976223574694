// A user's smallest application: one message published, one handler. tools/compat.mjs compiles and runs it against each
// version of Nest we promise.
import 'reflect-metadata';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Payload } from '@nestjs/microservices';
import { MessageProducer, RivuletModule, Subscribe } from 'nestjs-rivulet';

interface Order {
  id: string;
}

let receive: (order: Order) => void;
const received = new Promise<Order>((resolve) => (receive = resolve));

@Injectable()
class BillingService {
  @Subscribe('orders', { group: 'billing' })
  charge(@Payload() order: Order): void {
    receive(order);
  }
}

@Module({
  imports: [RivuletModule.forRoot({ connection: process.env.REDIS_URL ?? '', group: 'compat' })],
  providers: [BillingService],
})
class AppModule {}

async function main(): Promise<void> {
  const app = await NestFactory.createApplicationContext(AppModule, { logger: ['error', 'warn'] });
  await app.get(MessageProducer).send('orders', { id: '17' });
  console.log(`order ${(await received).id} charged`);
  await app.close();
}

void main();
