import { afterEach, describe, expect, it } from '@jest/globals';
import { applyDecorators, Injectable, ParseIntPipe, SetMetadata, UsePipes } from '@nestjs/common';
import {
  defineTopic,
  type HalfMessage,
  MessageProducer,
  Subscribe,
  SubscribeBatch,
  Transactional,
  TransactionCheck,
} from 'nestjs-rivulet';
import { MemoryParticipant } from 'nestjs-rivulet/testing';
import { closeApps, start } from './helpers/open-app.js';

afterEach(closeApps);

const amounts = defineTopic<number>('amounts');

describe('A decorator that is made of others', () => {
  it('subscribes', async () => {
    const OnAmounts = (group: string) =>
      applyDecorators(
        Subscribe(amounts, { group }),
        UsePipes(ParseIntPipe),
        SetMetadata('own', group),
      );
    const done: Record<string, (got: unknown) => void> = {};
    const first = new Promise((resolve) => (done['first'] = resolve));
    const second = new Promise((resolve) => (done['second'] = resolve));
    @Injectable()
    class Ledger {
      @OnAmounts('one')
      enter(amount: number) {
        done['first']!(amount);
      }

      @applyDecorators(Subscribe('amounts', { group: 'two' }), SetMetadata('own', 1))
      note(amount: number) {
        done['second']!(amount);
      }
    }
    const { producer } = await start({ providers: [Ledger] });
    await producer.send('amounts', '7');
    expect(await Promise.all([first, second])).toEqual([7, '7']);
  });

  it('subscribes to batches', async () => {
    const OnBatches = () => applyDecorators(SubscribeBatch(amounts, { group: 'batches' }));
    let done: (got: unknown) => void = () => {};
    const got = new Promise((resolve) => (done = resolve));
    @Injectable()
    class Ledger {
      @OnBatches()
      enter(some: number[]) {
        done(some);
      }
    }
    const { producer } = await start({ providers: [Ledger] });
    await producer.send(amounts, 7);
    expect(await got).toEqual([7]);
  });

  it('makes a method transactional', async () => {
    const AllOrNothing = () => applyDecorators(Transactional(), SetMetadata('own', 1));
    @Injectable()
    class Orders {
      constructor(private readonly producer: MessageProducer) {}

      @AllOrNothing()
      async place() {
        return this.producer.send(amounts, 7);
      }
    }
    const { app } = await start({
      providers: [Orders],
      rivulet: { transactions: { participants: [new MemoryParticipant()] } },
    });
    expect(await app.get(Orders).place()).toMatchObject({ state: 'half' });
  });

  it('compiles with any of them, and none fits a property alone', () => {
    const check = applyDecorators(TransactionCheck('transfer'));
    class Transfers {
      @check
      ask(_half: HalfMessage) {
        return 'unknown' as const;
      }
    }
    expect(Transfers).toBeDefined();
    expect(() => {
      class Wrong {
        // @ts-expect-error no method
        @Subscribe('amounts')
        enter = () => {};
      }
      return Wrong;
    }).toThrow('@Subscribe of Wrong.enter: only methods of instances can be handlers');
    expect(() => {
      class Wrong {
        // @ts-expect-error no method
        @Transactional()
        enter = async () => {};
      }
      return Wrong;
    }).toThrow('@Transactional of Wrong.enter: only methods of instances can be transactional');
  });
});
