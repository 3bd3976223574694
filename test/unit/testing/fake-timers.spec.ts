import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { Controller, Injectable } from '@nestjs/common';
import { MessagePattern } from '@nestjs/microservices';
import { Test } from '@nestjs/testing';
import { MessageProducer, RivuletModule, RivuletServer, Subscribe } from 'nestjs-rivulet';
import { ManualClock, MemoryStores, TestBed } from 'nestjs-rivulet/testing';
import { of } from 'rxjs';
import { silentLogger } from '../../../lib/core/runtime/logger.js';

afterEach(() => void jest.useRealTimers());

describe.each(['before', 'after'])('Under timers that were faked %s it was opened', (when) => {
  const fakeIf = (moment: string): void => {
    if (when === moment) jest.useFakeTimers();
  };

  it('a test bed goes on', async () => {
    fakeIf('before');
    const bed = await TestBed.open();
    fakeIf('after');
    const attempts: number[] = [];
    await bed.subscribe({
      topic: 'orders',
      group: 'billing',
      concurrencyPer: { key: 'tenant', max: 1 },
      rateLimit: { max: 10, perMs: 1_000 },
      handler: ({ attempt }) => {
        attempts.push(attempt);
        if (attempt === 1) throw new Error('the bank is away');
      },
    });
    await bed.publish('orders', { id: 'a' }, { properties: { tenant: 't' } });
    await bed.advance(60_000);
    expect(attempts).toEqual([1, 2]);
    await bed.close();
  });

  it('an application goes on', async () => {
    const seen: unknown[] = [];
    @Injectable()
    class Handlers {
      @Subscribe('orders', { group: 'billing', ordered: true })
      on(body: unknown) {
        seen.push(body);
      }
    }
    @Controller()
    class Answers {
      @MessagePattern('sum')
      sum(terms: number[]) {
        return of(terms.reduce((a, b) => a + b));
      }
    }
    fakeIf('before');
    const clock = new ManualClock();
    const stores = new MemoryStores({ clock });
    const module = await Test.createTestingModule({
      imports: [RivuletModule.forRoot({ stores, clock, group: 'shop', logger: silentLogger })],
      providers: [Handlers],
      controllers: [Answers],
    }).compile();
    const app = module.createNestApplication({ logger: silentLogger });
    app.connectMicroservice({ strategy: app.get(RivuletServer) });
    await app.startAllMicroservices();
    await app.init();
    fakeIf('after');
    const producer = app.get(MessageProducer);
    await producer.send('orders', 'a', { messageGroup: 'g' });
    await producer.sendAll([{ topic: 'orders', body: 'b', messageGroup: 'g' }]);
    const answer = producer.request('sum', [1, 2]);
    await clock.advance(60_000);
    expect(await answer).toBe(3);
    expect(seen).toEqual(['a', 'b']);
    await app.close();
  });
});
