// Imports of a tenant run two at a time, in all processes together; a tenant with many keeps no other one waiting.
import 'reflect-metadata';
import { setTimeout as work } from 'node:timers/promises';
import { type INestApplicationContext, Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Ctx } from '@nestjs/microservices';
import { MessageProducer, RivuletContext, RivuletModule, Subscribe } from 'nestjs-rivulet';

const running = new Map<string, number>();
const most = new Map<string, number>();
const order: string[] = [];
let allDone: () => void;
const done = new Promise<void>((resolve) => (allDone = resolve));

@Injectable()
class Imports {
  @Subscribe('imports', {
    group: 'importer',
    concurrency: 6,
    concurrencyPer: { key: 'tenant', max: 2 },
  })
  async run(_: unknown, @Ctx() context: RivuletContext): Promise<void> {
    const tenant = String(context.properties['tenant']);
    const atOnce = (running.get(tenant) ?? 0) + 1;
    running.set(tenant, atOnce);
    most.set(tenant, Math.max(atOnce, most.get(tenant) ?? 0));
    await work(30);
    running.set(tenant, running.get(tenant)! - 1);
    if (order.push(tenant) === 44) allDone();
  }
}

const connection = process.env.REDIS_URL ?? 'redis://localhost:6379';

@Module({
  imports: [RivuletModule.forRoot({ connection, namespace: 'sample-concurrency-per' })],
  providers: [Imports],
})
class AppModule {}

const start = (): Promise<INestApplicationContext> =>
  NestFactory.createApplicationContext(AppModule, { logger: ['error'] });
const apps = [await start(), await start()];
const producer = apps[0]!.get(MessageProducer);
const files = [...Array<string>(40).fill('large'), ...Array<string>(4).fill('small')];
await producer.sendBatch(
  'imports',
  files.map((tenant, file) => ({ body: { file }, properties: { tenant } })),
);
await done;
console.log('never more than two at once:', Math.max(...most.values()) === 2);
console.log('small was done before large:', order.at(-1) === 'large');
for (const app of apps) await app.close();
