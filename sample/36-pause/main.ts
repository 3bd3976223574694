// A process pauses its own handlers, and others take what comes; an operator pauses them in every process.
import 'reflect-metadata';
import { type INestApplicationContext, Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import * as rivulet from 'nestjs-rivulet';

const { Events, MessageAdmin, MessageConsumer, MessageProducer, Subscribe } = rivulet;

@Injectable()
class Imports {
  count = 0;

  @Subscribe('imports', { group: 'importer' })
  run(): void {
    this.count += 1;
  }
}

const connection = process.env.REDIS_URL ?? 'redis://localhost:6379';
const options = { connection, namespace: 'sample-pause', group: 'importer' };

@Module({ imports: [rivulet.RivuletModule.forRoot(options)], providers: [Imports] })
class AppModule {}

const start = (): Promise<INestApplicationContext> =>
  NestFactory.createApplicationContext(AppModule, { logger: ['error'] });
const [first, second] = [await start(), await start()];
const heard = (name: 'acked' | 'group-paused') =>
  [first, second].map((app) => app.get(Events).next(name));

async function handle(count: number): Promise<void> {
  for (let n = 0; n < count; n++) {
    const handled = Promise.race(heard('acked'));
    await first.get(MessageProducer).send('imports', n);
    await handled;
  }
  console.log('handled:', first.get(Imports).count, 'and', second.get(Imports).count);
}

first.get(MessageConsumer).pause({ topic: 'imports' });
await handle(2);
first.get(MessageConsumer).resume({ topic: 'imports' });
second.get(MessageConsumer).pause({ topic: 'imports' });
await handle(2);

const admin = first.get(MessageAdmin);
const paused = Promise.all(heard('group-paused'));
await admin.pauseGroup('imports', 'importer');
await paused;
console.log(
  'paused:',
  (await admin.listPausedGroups()).map(({ group }) => group),
);
const handled = handle(1); // later, by the first process: the second one has paused itself
await admin.resumeGroup('imports', 'importer');
await handled;
await Promise.all([first.close(), second.close()]);
