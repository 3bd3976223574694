// A partner allows ten calls at once and ten a second: two processes keep to that together.
import 'reflect-metadata';
import { type INestApplicationContext, Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Events, MessageProducer, RivuletModule, Subscribe } from 'nestjs-rivulet';

let lastCallAt = 0;

@Injectable()
class Partner {
  @Subscribe('calls', { group: 'partner', concurrency: 20, rateLimit: { max: 10, perMs: 1_000 } })
  call(): void {
    lastCallAt = performance.now();
  }
}

const connection = process.env.REDIS_URL ?? 'redis://localhost:6379';

@Module({
  imports: [RivuletModule.forRoot({ connection, namespace: 'sample-rate-limit' })],
  providers: [Partner],
})
class AppModule {}

const start = (): Promise<INestApplicationContext> =>
  NestFactory.createApplicationContext(AppModule, { logger: ['error'] });
const apps = [await start(), await start()];
const producer = apps[0]!.get(MessageProducer);
const handled = new Promise<void>((resolve) => {
  let left = 25;
  for (const app of apps) app.get(Events).on('acked', () => void (--left === 0 && resolve()));
});
const beganAt = performance.now();
for (let n = 0; n < 25; n++) void producer.send('calls', n);
await handled;
// Ten at once, and a tenth of a second for each of the others.
console.log('25 calls, no faster than that:', lastCallAt - beganAt >= 1_400);
for (const app of apps) await app.close();
