// One handler for many topics, also for those that do not exist yet; in order, too.
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

  /** As in one topic: the messages of a message group one after the other. */
  @Subscribe('shelf.>', { group: 'ledger', ordered: true })
  moved(@Payload() step: string, @Ctx() ctx: RivuletContext) {
    console.log(`${ctx.topic}: ${step}`);
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
for (const step of ['filled', 'counted', 'emptied']) {
  const acked = events.next('acked');
  await producer.send('shelf.fr.paris', step, { messageGroup: 'tea' });
  await acked;
}
await app.close();
