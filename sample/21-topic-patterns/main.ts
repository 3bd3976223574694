// One handler for many topics, also for those that do not exist yet.
import 'reflect-metadata';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Ctx, Payload } from '@nestjs/microservices';
import { Events, MessageProducer, RivuletContext, RivuletModule, Subscribe } from 'nestjs-rivulet';

@Injectable()
class Audit {
  /** `*` is one word, `#` any number of words. */
  @Subscribe('order.*.created', { group: 'audit' })
  created(@Payload() order: string, @Ctx() ctx: RivuletContext) {
    console.log(`${ctx.topic}: ${order}`);
  }
}

@Module({
  imports: [
    RivuletModule.forRoot({
      connection: process.env.REDIS_URL ?? 'redis://localhost:6379',
      namespace: 'sample-topic-patterns',
    }),
  ],
  providers: [Audit],
})
class AppModule {}

const app = await NestFactory.createApplicationContext(AppModule, { logger: ['error'] });
const [producer, events] = [app.get(MessageProducer), app.get(Events)];

for (const country of ['de', 'fr']) {
  const acked = events.next('acked');
  // The topic is made by this send, while the handler runs, and read from its start.
  await producer.send(`order.${country}.created`, 'tea');
  await producer.send(`order.${country}.paid`, 'tea');
  await acked;
}
await app.close();
