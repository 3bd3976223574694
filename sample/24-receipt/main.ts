// A shop tells its customer more than "we have your order": what billing and shipping have made of it.
import 'reflect-metadata';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Payload } from '@nestjs/microservices';
import {
  MessageProducer,
  type ReceiptTimeoutError,
  RejectMessageError,
  RivuletModule,
  Subscribe,
} from 'nestjs-rivulet';

@Injectable()
class Departments {
  @Subscribe('orders', { group: 'billing' })
  charge(): void {}

  @Subscribe('orders', { group: 'shipping' })
  ship(@Payload() { country }: { country: string }): void {
    if (country === 'atlantis') throw new RejectMessageError('no such country');
  }
}

const connection = process.env.REDIS_URL ?? 'redis://localhost:6379';

@Module({
  imports: [RivuletModule.forRoot({ connection, namespace: 'sample-receipt' })],
  providers: [Departments],
})
class AppModule {}

const app = await NestFactory.createApplicationContext(AppModule, { logger: false });
const producer = app.get(MessageProducer);

const receipt = { groups: ['billing', 'shipping'], timeoutMs: 10_000 };
for (const country of ['iceland', 'atlantis']) {
  const { outcomes } = await producer.send('orders', { country }, { receipt });
  console.log(country, outcomes);
}

// A group that nobody runs: the order is stored, and waits for it.
await producer
  .send('orders', { country: 'iceland' }, { receipt: { groups: ['packing'], timeoutMs: 100 } })
  .catch(({ code, missing }: ReceiptTimeoutError) => console.log(code, missing));
await app.close();
