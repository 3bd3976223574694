import { afterEach, describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import {
  Events,
  getOptionsToken,
  getRivuletToken,
  getStoresToken,
  MessageAdmin,
  MessageProducer,
  type Rivulet,
  RivuletClient,
  RivuletModule,
  type RivuletModuleOptions,
  RivuletServer,
  Subscribe,
  Transactional,
} from 'nestjs-rivulet';
import { ManualClock, MemoryParticipant, MemoryStores } from 'nestjs-rivulet/testing';
import { silentLogger } from '../../lib/core/runtime/logger.js';
import { closeApps, compile, start } from './helpers/open-app.js';

afterEach(closeApps);

@Injectable()
class Billing {
  readonly attempts: number[] = [];

  @Subscribe('orders', { group: 'billing' })
  charge(): void {
    this.attempts.push(this.attempts.length + 1);
    if (this.attempts.length === 1) throw new Error('the bank is away');
  }
}

@Injectable()
class Orders {
  constructor(private readonly producer: MessageProducer) {}

  @Transactional()
  async place(id: string): Promise<void> {
    await this.producer.send('orders', id);
  }
}

/** As in production: Redis, and settings from elsewhere. */
const PRODUCTION = RivuletModule.forRootAsync({
  useFactory: (): RivuletModuleOptions => ({
    connection: 'redis://nowhere.invalid',
    group: 'shop',
    logger: silentLogger,
  }),
});

describe('The clock of an application in memory', () => {
  it('is that of its stores for a server and a client of their own, too', async () => {
    const clock = new ManualClock();
    const options = { stores: new MemoryStores({ clock }), group: 'shop' };
    const server = new RivuletServer(options);
    const client = new RivuletClient(options);
    await new Promise((resolve) => {
      server.listen(resolve);
    });
    expect(server.unwrap<Rivulet>().clock).toBe(clock);
    expect(client.unwrap<Rivulet>().clock).toBe(clock);
    await Promise.all([server.close(), client.close()]);
  });

  it('is that of its stores, where it is given none', async () => {
    const clock = new ManualClock();
    const made = await start({
      providers: [Billing],
      rivulet: { stores: new MemoryStores({ clock }) },
    });
    expect(made.app.get<Rivulet>(getRivuletToken()).clock).toBe(clock);
    const acked = made.events.next('acked');
    await made.producer.send('orders', 'a');
    await clock.advance(10_000);
    expect(await acked).toMatchObject({ attempt: 2 });
  });

  it('is that of stores that a test puts in place of Redis', async () => {
    const clock = new ManualClock();
    const app = await Test.createTestingModule({ imports: [PRODUCTION], providers: [Billing] })
      .overrideProvider(getStoresToken())
      .useValue(new MemoryStores({ clock }))
      .setLogger(silentLogger)
      .compile();
    await app.init();
    expect(app.get<Rivulet>(getRivuletToken()).clock).toBe(clock);
    const acked = app.get(Events).next('acked');
    await app.get(MessageProducer).send('orders', 'a');
    await clock.advance(10_000);
    expect(await acked).toMatchObject({ attempt: 2 });
    await app.close();
  });

  it('cannot be another one than that of its stores', async () => {
    const clock = new ManualClock();
    const elsewhere = [new MemoryStores(), new MemoryStores({ clock: new ManualClock() })];
    for (const stores of elsewhere)
      await expect(compile({ rivulet: { stores, clock } })).rejects.toThrow(
        'clock is not the one that the stores go by: give it to them (new MemoryStores({ clock }))',
      );
  });

  it('need not be told to a participant in memory', async () => {
    const clock = new ManualClock();
    const participant = new MemoryParticipant();
    const app = await Test.createTestingModule({ imports: [PRODUCTION], providers: [Orders] })
      .overrideProvider(getOptionsToken())
      .useValue({
        stores: new MemoryStores({ clock }),
        clock,
        group: 'shop',
        transactions: { participants: [participant] },
      })
      .setLogger(silentLogger)
      .compile();
    await app.init();
    const published = app.get(Events).next('published');
    await app.get(Orders).place('a');
    await published;
    expect(await app.get(MessageAdmin).describeTopic('orders')).toMatchObject({ length: 1 });
    await app.close();
  });
});
