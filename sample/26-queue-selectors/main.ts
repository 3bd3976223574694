// Which queue a message goes to: as its message group, its key, turns or a function of yours says.
import 'reflect-metadata';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import * as rivulet from 'nestjs-rivulet';

type Order = { customer: string; express?: boolean };

@Injectable()
class Orders {
  constructor(private readonly producer: rivulet.MessageProducer) {}

  /** The same queue for the same key, and no order. */
  private readonly byKey = rivulet.hashedQueue();
  /** So many in a row; it counts, so there is one. */
  private readonly sticky = rivulet.stickyBatchQueue({ size: 2 });
  /** The last queue for whoever pays for it, one of the others for everybody else. */
  private readonly express: rivulet.QueueSelector = (queues, { body, key }) =>
    (body as Order).express ? queues.at(-1)! : rivulet.selectQueue(key!, queues.length - 1);

  /** A message group decides the queue; an ordered subscription keeps its order. */
  inOrder = (order: Order) => this.send(order, { messageGroup: order.customer });
  hashed = (order: Order) => this.send(order, { queueSelector: this.byKey });
  inBatches = (order: Order) => this.send(order, { queueSelector: this.sticky });
  byPrice = (order: Order) => this.send(order, { queueSelector: this.express });

  private async send(order: Order, options: rivulet.SendOptions): Promise<number> {
    const sent = await this.producer.send('orders', order, { key: order.customer, ...options });
    return sent.queue;
  }
}

const connection = process.env.REDIS_URL ?? 'redis://localhost:6379';
const topics = { queues: 4 };

@Module({
  imports: [rivulet.RivuletModule.forRoot({ connection, namespace: 'sample-queues', topics })],
  providers: [Orders],
})
class AppModule {}

const app = await NestFactory.createApplicationContext(AppModule, { logger: ['error'] });
const orders = app.get(Orders);
const placed: Order[] = ['eve', 'bob', 'eve', 'alice', 'bob'].map((customer) => ({ customer }));
placed.push({ customer: 'alice', express: true });

async function show(how: string, send: (order: Order) => Promise<number>): Promise<void> {
  const queues: number[] = [];
  for (const order of placed) queues.push(await send(order));
  console.log(`${how}: ${queues.join(' ')}`);
}
await show('message group', orders.inOrder);
await show('hash of the key', orders.hashed);
await show('two at a time', orders.inBatches);
await show('express in queue 3', orders.byPrice);
await app.close();
