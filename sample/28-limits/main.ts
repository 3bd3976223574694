// A queue holds so many messages that are not settled. The next send fails, displaces the oldest, or waits: its topic says so.
import 'reflect-metadata';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Payload } from '@nestjs/microservices';
import * as rivulet from 'nestjs-rivulet';

const { defineTopic, Events, MessageAdmin, MessageConsumer, MessageProducer, Subscribe } = rivulet;
const two = { queues: 1, maxLength: 2 }; // so many in each queue
const invoices = defineTopic<string>('invoices', { ...two, whenFull: 'reject' });
const positions = defineTopic<string>('positions', { ...two, whenFull: 'drop-oldest' });
const imports = defineTopic<string>('imports', { ...two, whenFull: 'wait' });
let isStored = false;

@Injectable()
class Office {
  @Subscribe(positions, { group: 'office' })
  track(): void {}

  @Subscribe(imports, { group: 'office' })
  import(@Payload() file: string): void {
    console.log('import', file);
    if (file === 'a') console.log('c is stored:', isStored);
  }
}

const connection = process.env.REDIS_URL ?? 'redis://localhost:6379';
const module = { connection, namespace: 'sample-limits', group: 'office' };

@Module({ imports: [rivulet.RivuletModule.forRoot(module)], providers: [Office] })
class AppModule {}

const app = await NestFactory.createApplicationContext(AppModule, { logger: false });
const [producer, consumer] = [app.get(MessageProducer), app.get(MessageConsumer)];
for (const topic of [positions, imports]) consumer.pause({ topic });

for (const number of ['1', '2', '3'])
  await producer
    .send(invoices, number)
    .catch(({ code }: { code: string }) => console.log(`invoice ${number}: ${code}`));

for (const place of ['Rome', 'Pisa', 'Genoa']) await producer.send(positions, place);
const { letters } = await app.get(MessageAdmin).listDeadLetters(positions, 'office');
for (const { reason, entry } of letters)
  if (entry.kind === 'message') console.log('position', entry.body, reason);

for (const file of ['a', 'b']) await producer.send(imports, file);
const third = producer.send(imports, 'c', { key: 'c' }).then(() => (isStored = true));
const done = app.get(Events).next('acked', ({ key }) => key === 'c');
consumer.resume({ topic: imports });
await Promise.all([third, done]);
console.log('c is stored:', isStored);
await app.close();
