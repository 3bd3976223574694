// An order and its entry in the books go to two topics, together or not at all, without a database.
import 'reflect-metadata';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Payload } from '@nestjs/microservices';
import { Events, MessageAdmin, MessageProducer, RivuletModule, Subscribe } from 'nestjs-rivulet';

@Injectable()
class Orders {
  constructor(private readonly producer: MessageProducer) {}

  async place(id: string, cents: number): Promise<string> {
    const sent = await this.producer.sendAll([
      { topic: 'orders', body: { id }, messageGroup: id },
      { topic: 'books', body: { id, cents }, key: id },
    ]);
    return `${id}: sent to ${sent.map(({ topic }) => topic).join(' and ')}`;
  }

  @Subscribe('orders', { group: 'packing' })
  pack(@Payload() { id }: { id: string }): void {
    console.log(`${id}: packed`);
  }
}

const connection = process.env.REDIS_URL ?? 'redis://localhost:6379';

@Module({
  imports: [RivuletModule.forRoot({ connection, namespace: 'sample-sets', group: 'orders' })],
  providers: [Orders],
})
class AppModule {}

const app = await NestFactory.createApplicationContext(AppModule, { logger: ['error'] });
const orders = app.get(Orders);
await app.get(MessageAdmin).createTopic('books', { queues: 1, maxLength: 1 });
const packed = app.get(Events).next('acked');
const placed = await orders.place('tea', 450);
await packed;
console.log(placed);
// The books are full: the order is not sent either.
await orders
  .place('lamp', 9_900)
  .catch(({ code }: { code: string }) => console.log(`lamp: ${code}`));
for await (const found of app.get(MessageAdmin).findByTime('orders'))
  console.log(`orders: ${found.length}`);
await app.close();
