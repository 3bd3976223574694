// A partner allows ten calls at once and ten a second: two processes keep to that together. Then an operator stops them.
import 'reflect-metadata';
import { type INestApplicationContext, Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Events, MessageAdmin, MessageProducer, RivuletModule, Subscribe } from 'nestjs-rivulet';

const calls: number[] = [];

@Injectable()
class Partner {
  @Subscribe('calls', { group: 'partner', concurrency: 20, rateLimit: { max: 10, perMs: 1_000 } })
  call(): void {
    calls.push(performance.now());
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

/** Sends so many, and waits until all are handled. */
async function send(count: number): Promise<void> {
  let left = count;
  await new Promise<void>((resolve) => {
    for (const app of apps) app.get(Events).on('acked', () => --left === 0 && resolve());
    for (let n = 0; n < count; n++) void producer.send('calls', n);
  });
}

await send(25);
// Ten at once, and a tenth of a second for each of the others.
console.log('25 calls, no faster than that:', calls.at(-1)! - calls[0]! >= 1_400);

const admin = apps[0]!.get(MessageAdmin);
const paused = apps.map((app) => app.get(Events).next('group-paused'));
await admin.pauseGroup('calls', 'partner');
await Promise.all(paused);
await producer.send('calls', 'later');
console.log(
  'paused:',
  (await admin.listPausedGroups()).map(({ group }) => group),
);
const handled = Promise.race(apps.map((app) => app.get(Events).next('acked')));
await admin.resumeGroup('calls', 'partner');
await handled;
console.log(`${calls.length} calls`);
for (const app of apps) await app.close();
