// Three handlers of one topic, each of which gets what it wants.
import 'reflect-metadata';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Payload } from '@nestjs/microservices';
import * as rivulet from 'nestjs-rivulet';

const { headers, selector, Subscribe, tags } = rivulet;
const NOT_HERE = "cents > 10000 AND country NOT IN ('de', 'fr')";
const handled: string[] = [];

@Injectable()
class Handlers {
  @Subscribe('orders', { group: 'mail', filter: tags('created || paid') })
  mail(@Payload() order: string) {
    handled.push(`mail about the ${order}`);
  }

  @Subscribe('orders', { group: 'fraud', filter: selector(NOT_HERE) })
  check(@Payload() order: string) {
    handled.push(`check the ${order}`);
  }

  @Subscribe('orders', { group: 'express', filter: headers({ express: true }) })
  hurry(@Payload() order: string) {
    handled.push(`hurry with the ${order}`);
  }
}

const connection = process.env.REDIS_URL ?? 'redis://localhost:6379';

@Module({
  imports: [rivulet.RivuletModule.forRoot({ connection, namespace: 'sample-filters' })],
  providers: [Handlers],
})
class AppModule {}

const app = await NestFactory.createApplicationContext(AppModule, { logger: ['error'] });
const producer = app.get(rivulet.MessageProducer);
const events = app.get(rivulet.Events);

// Three messages for three groups: each is handled, or settled because nobody in the group wants it.
const settled = { acked: 0, filtered: 0 };
const all = new Promise<void>((resolve) => {
  for (const name of ['acked', 'filtered'] as const)
    events.on(name, () => ++settled[name] && settled.acked + settled.filtered === 9 && resolve());
});
const tea = { cents: 900, country: 'de', express: true };
await producer.send('orders', 'tea', { tag: 'created', properties: tea });
await producer.send('orders', 'ring', {
  tag: 'paid',
  properties: { cents: 90_000, country: 'us' },
});
await producer.send('orders', 'lamp', { tag: 'returned' });
await all;
console.log(handled.toSorted().join('\n'));
console.log(`settled unseen: ${settled.filtered}`);
await app.close();
