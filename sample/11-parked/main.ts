// A booking that cannot succeed stops its account, until an operator lets that go on.
import 'reflect-metadata';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Payload } from '@nestjs/microservices';
import { Events, MessageAdmin, MessageProducer, RivuletModule, Subscribe } from 'nestjs-rivulet';

let isRepaired = false;

@Injectable()
class Ledger {
  @Subscribe('transfers', { group: 'ledger', ordered: true, retry: { maxAttempts: 1 } })
  book(@Payload() step: string): void {
    if (step === 'open' && !isRepaired) throw new Error('the ledger is broken');
    console.log('booked:', step);
  }
}

@Module({
  imports: [
    RivuletModule.forRoot({
      connection: process.env.REDIS_URL ?? 'redis://localhost:6379',
      namespace: 'sample-parked',
    }),
  ],
  providers: [Ledger],
})
class AppModule {}

const app = await NestFactory.createApplicationContext(AppModule, { logger: false });
const producer = app.get(MessageProducer);
const admin = app.get(MessageAdmin);
const events = app.get(Events);

const parked = events.next('lane-parked');
const openedId = await producer.send('transfers', 'open', { messageGroup: 'carol' });
const last = await producer.send('transfers', 'close', { messageGroup: 'carol' });
console.log('parked:', (await parked).messageId === openedId.messageId, (await parked).reason);

const [lane] = await admin.listParkedLanes('transfers', 'ledger');
console.log('waiting:', lane!.messageGroup);
isRepaired = true;
const closed = events.next('acked', ({ messageId }) => messageId === last.messageId);
await admin.resumeLane('transfers', 'ledger', lane!);
await closed;
await app.close();
