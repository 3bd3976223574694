// A message for which there is nobody: it is refused, or goes where somebody looks after it.
import 'reflect-metadata';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Payload } from '@nestjs/microservices';
import {
  Events,
  MessageProducer,
  RivuletModule,
  Subscribe,
  type UnroutableMessageError,
} from 'nestjs-rivulet';

@Injectable()
class Departments {
  @Subscribe('orders', { group: 'packing' })
  pack(@Payload() order: string): void {
    console.log('packed:', order);
  }

  @Subscribe('unclaimed', { group: 'support' })
  lookAt(@Payload() message: string): void {
    console.log('support looks at:', message);
  }
}

const connection = process.env.REDIS_URL ?? 'redis://localhost:6379';

@Module({
  imports: [RivuletModule.forRoot({ connection, namespace: 'sample-mandatory' })],
  providers: [Departments],
})
class AppModule {}

const app = await NestFactory.createApplicationContext(AppModule, { logger: ['error'] });
const [producer, events] = [app.get(MessageProducer), app.get(Events)];
const refused = ({ code, topic, missing }: UnroutableMessageError): void =>
  console.log(code, topic, missing);

// Any group will do; then each of these must be there. Groups that are only away do get it.
const packed = events.next('acked');
await producer.send('orders', 'tea', { mandatory: true });
await packed;
await producer.send('orders', 'lamp', { mandatory: ['packing', 'billing'] }).catch(refused);
await producer.send('returns', 'vase', { mandatory: true }).catch(refused);

const lookedAt = events.next('acked');
const sent = await producer.send('returns', 'a broken vase', { alternateTopic: 'unclaimed' });
await lookedAt;
console.log('it went to:', sent.topic);
await app.close();
