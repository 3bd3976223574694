// Bookings of one account stay in order; one that fails keeps its own account waiting, and no other.
import 'reflect-metadata';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Payload } from '@nestjs/microservices';
import { Events, MessageProducer, RivuletModule, Subscribe } from 'nestjs-rivulet';

interface Booking {
  account: string;
  step: string;
}

const booked: Record<string, string[]> = { alice: [], bob: [] };

@Injectable()
class Ledger {
  @Subscribe('bookings', {
    group: 'ledger',
    ordered: true,
    retry: { backoff: { fromMs: 200 } },
  })
  book(@Payload() { account, step }: Booking): void {
    const isBobDone = booked.bob!.includes('close');
    if (account === 'alice' && step === 'open' && !isBobDone) throw new Error('not yet');
    booked[account]!.push(step);
    if (account === 'bob' && step === 'close') console.log('alice waits:', booked.alice!.length);
  }
}

@Module({
  imports: [
    RivuletModule.forRoot({
      connection: process.env.REDIS_URL ?? 'redis://localhost:6379',
      namespace: 'sample-ordered',
    }),
  ],
  providers: [Ledger],
})
class AppModule {}

const app = await NestFactory.createApplicationContext(AppModule, { logger: false });
const producer = app.get(MessageProducer);
const done = new Promise<void>((resolve) => {
  let left = 6;
  app.get(Events).on('acked', () => void (--left === 0 && resolve()));
});
for (const step of ['open', 'pay', 'close'])
  for (const account of ['alice', 'bob'])
    await producer.send('bookings', { account, step }, { messageGroup: account });
await done;
console.log('alice:', booked.alice!.join(', '));
console.log('bob:', booked.bob!.join(', '));
await app.close();
