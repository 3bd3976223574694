// Readings are written many at a time; the one that cannot be written becomes a dead letter, by itself.
import 'reflect-metadata';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Ctx, Payload } from '@nestjs/microservices';
import * as rivulet from 'nestjs-rivulet';

interface Reading {
  sensor: string;
  celsius: number;
}

@Injectable()
class Readings {
  @rivulet.SubscribeBatch('readings', { group: 'store', batch: { size: 5, withinMs: 2_000 } })
  write(@Payload() readings: Reading[], @Ctx() ctx: rivulet.BatchContext): rivulet.BatchResult {
    console.log(`write ${ctx.size}`);
    const result = new rivulet.BatchResult();
    readings.forEach(({ celsius }, i) => {
      if (celsius < -273) result.fail(i, new rivulet.RejectMessageError(`colder than possible`));
    });
    return result;
  }
}

@Module({
  imports: [
    rivulet.RivuletModule.forRoot({
      connection: process.env.REDIS_URL ?? 'redis://localhost:6379',
      namespace: 'sample-batch',
      topics: { queues: 1 },
      logger: { error() {}, warn() {}, log() {}, debug() {} },
    }),
  ],
  providers: [Readings],
})
class AppModule {}

const app = await NestFactory.createApplicationContext(AppModule, { logger: ['error'] });
const events = app.get(rivulet.Events);
let acked = 0;
events.on('acked', () => (acked += 1));
const dead = events.next('dead-lettered');
const lastAcked = events.next('acked', () => acked === 9);

await app.get(rivulet.MessageProducer).sendBatch(
  'readings',
  Array.from({ length: 10 }, (_, i) => ({
    body: { sensor: `s${i}`, celsius: i === 3 ? -300 : 20 },
  })),
);
await lastAcked;
console.log(`acked: ${acked}`);
console.log(`dead letter: ${(await dead).reason}`);
await app.close();
