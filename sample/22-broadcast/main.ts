// Every process hears of a new price, and forgets the one it has cached.
import 'reflect-metadata';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Payload } from '@nestjs/microservices';
import { Events, MessageProducer, RivuletModule, Subscribe } from 'nestjs-rivulet';

@Injectable()
class Prices {
  readonly cache = new Map([['tea', 450]]);

  /** Nothing is kept for a process that is not there: it begins at the latest message, and with an empty cache. */
  @Subscribe('prices', { group: 'price-cache', mode: 'broadcasting' })
  forget(@Payload() product: string) {
    this.cache.delete(product);
  }
}

@Module({
  imports: [
    RivuletModule.forRoot({
      connection: process.env.REDIS_URL ?? 'redis://localhost:6379',
      namespace: 'sample-broadcast',
    }),
  ],
  providers: [Prices],
})
class AppModule {}

// Three processes would be three of these.
const apps = await Promise.all(
  [1, 2, 3].map(() => NestFactory.createApplicationContext(AppModule, { logger: ['error'] })),
);
const cached = (): number => apps.filter((app) => app.get(Prices).cache.has('tea')).length;

console.log(`cached in ${cached()} processes`);
const heard = Promise.all(apps.map((app) => app.get(Events).next('acked')));
await apps[0]!.get(MessageProducer).send('prices', 'tea');
await heard;
console.log(`cached in ${cached()} processes`);
await Promise.all(apps.map((app) => app.close()));
