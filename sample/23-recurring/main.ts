// A tick each second: sent once, although two processes ask for it.
import 'reflect-metadata';
import { Injectable, Module, type OnApplicationBootstrap } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Payload } from '@nestjs/microservices';
import { Events, MessageAdmin, MessageProducer, RivuletModule, Subscribe } from 'nestjs-rivulet';

let ticks = 0;

@Injectable()
class Clock implements OnApplicationBootstrap {
  constructor(private readonly producer: MessageProducer) {}

  /** Every process says it when it starts; that changes nothing. '0 6 * * 1-5' would be six o'clock on working days. */
  async onApplicationBootstrap() {
    const when = { name: 'tick', cron: '* * * * * *', timezone: 'Europe/Berlin' };
    await this.producer.sendRecurring('ticks', { tick: true }, when);
  }

  @Subscribe('ticks', { group: 'clock' })
  onTick(@Payload() body: { tick: boolean }) {
    ticks += body.tick ? 1 : 0;
  }
}

@Module({
  imports: [
    RivuletModule.forRoot({
      connection: process.env.REDIS_URL ?? 'redis://localhost:6379',
      namespace: 'sample-recurring',
    }),
  ],
  providers: [Clock],
})
class AppModule {}

const apps = await Promise.all(
  [1, 2].map(() => NestFactory.createApplicationContext(AppModule, { logger: ['error'] })),
);
const admin = apps[0]!.get(MessageAdmin);
for (const { name, cron, topic } of await admin.listRecurring())
  console.log(`${name} sends to ${topic} at ${cron}`);

/** One process or the other sends a tick. */
const sent = (): Promise<unknown> =>
  Promise.race(apps.map((app) => app.get(Events).next('published')));
for (let i = 0; i < 3; i++) await sent();
console.log(`cancelled: ${await admin.cancelRecurring('tick')}`);
await Promise.all(apps.map((app) => app.close()));
console.log(`ticks were handled: ${ticks > 0}`);
