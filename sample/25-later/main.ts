// A reminder comes later, and can be moved or called off until then; an offer that nobody reads in time is not read at all.
import 'reflect-metadata';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Payload } from '@nestjs/microservices';
import * as rivulet from 'nestjs-rivulet';

const { delayLevel, Events, MessageAdmin, MessageConsumer, MessageProducer, Subscribe } = rivulet;
const HOUR_MS = 3_600_000;

@Injectable()
class Mail {
  @Subscribe('reminders', { group: 'mail' })
  remind(@Payload() text: string): void {
    console.log('reminder:', text);
  }

  @Subscribe('offers', { group: 'mail' })
  offer(@Payload() text: string): void {
    console.log('offer:', text);
  }
}

const connection = process.env.REDIS_URL ?? 'redis://localhost:6379';

@Module({
  imports: [rivulet.RivuletModule.forRoot({ connection, namespace: 'sample-later' })],
  providers: [Mail],
})
class AppModule {}

const app = await NestFactory.createApplicationContext(AppModule, { logger: false });
const [producer, admin] = [app.get(MessageProducer), app.get(MessageAdmin)];
const [consumer, events] = [app.get(MessageConsumer), app.get(Events)];

// Nobody mails offers for a while: this one is worth nothing after a tenth of a second.
const offers = { topic: 'offers', group: 'mail' };
consumer.pause(offers);
await producer.send('offers', 'half price for the next one who orders', { ttlMs: 100 });

const nextWeek = new Date(Date.now() + 7 * 24 * HOUR_MS);
const bert = await producer.send('reminders', 'Bert, your book is due', { deliverAt: nextWeek });
const anna = await producer.send('reminders', 'Anna, we wait', { delayMs: delayLevel('2h') });
console.log('Anna and Bert:', anna.state, bert.state);
const tomorrow = new Date(Date.now() + 24 * HOUR_MS);
const { messages } = await admin.listScheduled('reminders', { to: tomorrow });
console.log('due until tomorrow:', messages.length, messages[0]!.messageId === anna.messageId);
console.log('called off:', await admin.cancelScheduled('reminders', bert.messageId));
console.log('called off again:', await admin.cancelScheduled('reminders', bert.messageId));
const reminded = events.next('acked');
console.log('moved:', await admin.reschedule('reminders', anna.messageId, { delayMs: 300 }));
await reminded;

const deadLettered = events.next('dead-lettered');
consumer.resume(offers);
console.log('offer', (await deadLettered).reason);
await app.close();
