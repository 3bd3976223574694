// A report was wrong: its group goes back to where the error began. A new group gets everything that is kept, beside it.
import 'reflect-metadata';
import { type INestApplicationContext, Injectable, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Payload } from '@nestjs/microservices';
import { MessageAdmin, MessageProducer, RivuletModule, Subscribe } from 'nestjs-rivulet';

let handle: (cents: number) => void;

@Injectable()
class Report {
  @Subscribe('sales', { group: 'report' })
  add(@Payload() cents: number): void {
    handle(cents);
  }
}

@Injectable()
class Audit {
  /** What a new group does unless told: it could begin at 'latest', or a Date. A group that exists goes on where it was. */
  @Subscribe('sales', { group: 'audit', from: 'earliest' })
  add(@Payload() cents: number): void {
    handle(cents);
  }
}

const connection = process.env.REDIS_URL ?? 'redis://localhost:6379';
const options = { connection, namespace: 'sample-rewind', topics: { queues: 1 } };
const start = (...providers: Type[]): Promise<INestApplicationContext> =>
  NestFactory.createApplicationContext(
    { module: class AppModule {}, imports: [RivuletModule.forRoot(options)], providers },
    { logger: ['error'] },
  );

/** A process that ends when it has handled so many messages. */
async function run(provider: Type, count: number): Promise<void> {
  const handled: number[] = [];
  const all = new Promise<void>((resolve) => {
    handle = (cents) => void (handled.push(cents) === count && resolve());
  });
  const app = await start(provider);
  await all;
  await app.close();
  console.log(`${provider.name}:`, handled.join(', '));
}

const shop = await start();
const producer = shop.get(MessageProducer);
await producer.send('sales', 100);
const { queue, offset } = await producer.send('sales', 250);
await producer.send('sales', 400);
await run(Report, 3);
// Or to 'earliest', 'latest' or a Date, in all queues. It wants { force: true } while somebody is at work in the group.
await shop.get(MessageAdmin).rewindGroup('sales', 'report', { queue, offset: offset! });
await run(Report, 2);
await run(Audit, 3);
await shop.close();
