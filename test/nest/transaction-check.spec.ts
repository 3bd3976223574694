import { bytesOf } from '../../lib/core/message/frame.js';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Injectable, Scope } from '@nestjs/common';
import {
  type CheckAnswer,
  type HalfMessage,
  MessageProducer,
  Rivulet,
  RivuletModule,
  Transactional,
  TransactionCheck,
} from 'nestjs-rivulet';
import { closeApps, inMemory, start } from './helpers/open-app.js';

afterEach(closeApps);

interface Transfer {
  id: string;
  cents: number;
}

/** Another service, which remembers what it was told. */
class Bank {
  readonly transfers = new Map<string, number>();
}

@Injectable()
class Transfers {
  constructor(private readonly bank: Bank) {}

  @Transactional({
    name: 'transfer',
    topic: 'transfers',
    message: (transfer: Transfer) => ({ body: transfer, key: transfer.id }),
  })
  async transfer({ id, cents }: Transfer): Promise<number> {
    if (cents < 0) throw new Error('the bank refuses');
    this.bank.transfers.set(id, cents);
    return cents;
  }

  @TransactionCheck('transfer')
  async wasTransferred({ key }: HalfMessage): Promise<CheckAnswer> {
    return this.bank.transfers.has(key!) ? 'commit' : 'unknown';
  }
}

describe('@Transactional({ name, topic, message })', () => {
  it('sends its message when the method returns, and drops it when it throws', async () => {
    const { app, events } = await start({ providers: [Transfers, Bank] });
    const published: string[] = [];
    events.on('published', ({ key }) => published.push(key!));
    const transfers = app.get(Transfers);
    expect(await transfers.transfer({ id: 'a', cents: 5 })).toBe(5);
    await expect(transfers.transfer({ id: 'b', cents: -1 })).rejects.toThrow('the bank refuses');
    expect(published).toEqual(['a']);
  });

  it('makes its message of the first arguments, whatever else the method takes', async () => {
    @Injectable()
    class Bookings {
      @Transactional({ name: 'book', topic: 'bookings', message: (id: string) => ({ body: id }) })
      async book(id: string, cents: number): Promise<string> {
        return `${id}: ${cents}`;
      }

      // @ts-expect-error -- its first argument is another one
      @Transactional({ name: 'other', topic: 'bookings', message: (id: string) => ({ body: id }) })
      async other(_cents: number): Promise<void> {}

      @TransactionCheck('book')
      @TransactionCheck('other')
      check(): CheckAnswer {
        return 'unknown';
      }
    }
    const { app, events } = await start({ providers: [Bookings] });
    const published = events.next('published');
    expect(await app.get(Bookings).book('a', 5)).toBe('a: 5');
    expect(await published).toMatchObject({ topic: 'bookings' });
  });

  it('is answered for by the method of a subclass in the place of the inherited one', async () => {
    @Injectable()
    class Stricter extends Transfers {
      @TransactionCheck('transfer')
      override async wasTransferred(message: HalfMessage): Promise<CheckAnswer> {
        return super.wasTransferred(message);
      }
    }
    const { app } = await start({ providers: [Stricter, Bank] });
    expect(await app.get(Stricter).transfer({ id: 'a', cents: 5 })).toBe(5);
  });

  it('stops the start when no method answers for it, and names the one that needs it', async () => {
    @Injectable()
    class Unchecked {
      @Transactional({ name: 'lonely', topic: 'transfers', message: () => ({ body: 1 }) })
      async run(): Promise<void> {}
    }
    await expect(start({ providers: [Unchecked] })).rejects.toThrow(
      /@Transactional of Unchecked.run: nobody could say.*@TransactionCheck\('lonely'\)/,
    );
  });

  it('is answered for in its own instance, by whatever name others have there', async () => {
    @Injectable()
    class Elsewhere {
      @TransactionCheck('transfer', { instance: 'audit' })
      check(): CheckAnswer {
        return 'unknown';
      }
    }
    const { app } = await start({
      imports: [RivuletModule.forRoot({ name: 'audit', ...inMemory({}) })],
      providers: [Transfers, Bank, Elsewhere],
    });
    expect(await app.get(Transfers).transfer({ id: 'a', cents: 5 })).toBe(5);
  });

  it('stops the start when two methods answer for it', async () => {
    @Injectable()
    class Second {
      @TransactionCheck('transfer')
      check(): CheckAnswer {
        return 'unknown';
      }
    }
    await expect(start({ providers: [Transfers, Bank, Second] })).rejects.toThrow(
      'both Transfers.wasTransferred and Second.check answer for it',
    );
  });
});

describe('@TransactionCheck', () => {
  it('is asked on an instance of the right scope', async () => {
    let instances = 0;
    @Injectable({ scope: Scope.REQUEST })
    class Scoped {
      readonly number = ++instances;

      @TransactionCheck('scoped')
      check(message: HalfMessage): CheckAnswer {
        return message.body === 'go' && this.number > 0 ? 'commit' : 'rollback';
      }
    }
    const { app } = await start({ providers: [Scoped] });
    const { checks, producer } = app.get(Rivulet);
    const { message } = await producer.outgoing('orders', 'go', {
      options: {},
      lookUpTopic: async () => undefined,
    });
    const half = { topic: 'orders', queue: 0, id: 'x', frame: bytesOf(message.frame) };
    const before = instances;
    expect([await checks.ask('scoped', half), await checks.ask('scoped', half)]).toEqual([
      'commit',
      'commit',
    ]);
    expect(instances - before).toBe(2);
  });

  it('answers for messages that are decided by hand', async () => {
    const { app, events } = await start({ providers: [Transfers, Bank] });
    const producer = app.get(MessageProducer);
    const half = await producer.prepare('transfers', { id: 'c' }, { name: 'transfer', key: 'c' });
    const published = events.next('published');
    expect(await half.commit()).toMatchObject({ state: 'stored', messageId: half.messageId });
    expect(await published).toMatchObject({ key: 'c' });
    await expect(producer.prepare('transfers', 1, { name: 'tranfer' })).rejects.toThrow(
      'did you mean "transfer"',
    );
  });
});
