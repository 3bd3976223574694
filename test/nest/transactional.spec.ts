import { afterEach, describe, expect, it } from '@jest/globals';
import {
  Controller,
  Inject,
  Injectable,
  ParseIntPipe,
  Post,
  Scope,
  SetMetadata,
  UseGuards,
} from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import { Test } from '@nestjs/testing';
import { lastValueFrom, of } from 'rxjs';
import {
  InjectProducer,
  InjectTransactions,
  MessageProducer,
  RivuletClient,
  RivuletModule,
  Subscribe,
  Transactional,
  TransactionCheck,
  TransactionalMessage,
  Transactions,
} from 'nestjs-rivulet';
import { MemoryParticipant, type MemoryTransaction } from 'nestjs-rivulet/testing';
import { closeApps, inMemory, start, type TestApp } from './helpers/open-app.js';

afterEach(closeApps);

@Injectable()
class Orders {
  constructor(
    private readonly producer: MessageProducer,
    private readonly transactions: Transactions,
  ) {}

  @Transactional()
  async place(id: string, fails = false): Promise<string> {
    this.transactions.current<MemoryTransaction>()!.set(id, 'placed');
    const { state } = await this.producer.send('orders', id, { key: id });
    if (fails) throw new Error(`no stock for ${id}`);
    return state;
  }

  @TransactionalMessage({ propagation: 'requires-new' })
  async note(text: string): Promise<void> {
    await this.producer.send('orders', text);
  }

  @Transactional()
  async placeAndFail(id: string): Promise<void> {
    await this.place(id);
    await this.note(`tried ${id}`);
    throw new Error('outer');
  }
}

/** Hears what is delivered, in order. */
@Injectable()
class Listener {
  readonly heard: unknown[] = [];

  @Subscribe('orders', { group: 'listener' })
  on(@Payload() order: unknown): void {
    this.heard.push(order);
  }
}

function database(name?: string): MemoryParticipant {
  return new MemoryParticipant(name === undefined ? {} : { name });
}

/** Everything that was sent before is delivered by then. */
async function heardBy({ app, producer, events }: TestApp): Promise<unknown[]> {
  const { heard } = app.get(Listener);
  const done = events.next('acked', ({ key }) => key === 'marker');
  await producer.send('orders', 'marker', { key: 'marker' });
  await done;
  return heard.filter((order) => order !== 'marker');
}

describe('@Transactional', () => {
  it('makes rows and messages visible together, when the method returns', async () => {
    const participant = database();
    const made = await start({
      providers: [Orders, Listener],
      rivulet: { transactions: { participants: [participant] } },
    });
    const published = made.events.next('published', ({ key }) => key === 'a');
    expect(await made.app.get(Orders).place('a')).toBe('half');
    await published;
    expect(participant.get('a')).toBe('placed');
    expect(await heardBy(made)).toEqual(['a']);
  });

  it('rolls back when it throws, and throws the same error', async () => {
    const participant = database();
    const made = await start({
      providers: [Orders, Listener],
      rivulet: { transactions: { participants: [participant] } },
    });
    await expect(made.app.get(Orders).place('a', true)).rejects.toThrow('no stock for a');
    expect(participant.get('a')).toBeUndefined();
    expect(await heardBy(made)).toEqual([]);
  });

  it('joins the transaction of its caller, unless it is told not to', async () => {
    const participant = database();
    const made = await start({
      providers: [Orders, Listener],
      rivulet: { transactions: { participants: [participant] } },
    });
    const published = made.events.next('published');
    await expect(made.app.get(Orders).placeAndFail('a')).rejects.toThrow('outer');
    await published;
    expect(participant.get('a')).toBeUndefined();
    expect(await heardBy(made)).toEqual(['tried a']);
  });

  it('keeps what was declared on the method, above it and below', async () => {
    @Controller('orders')
    class Routes {
      @SetMetadata('above', 1)
      @Transactional()
      @SetMetadata('below', 2)
      @Post(':id')
      @UseGuards(class Guard {})
      async place(id: string, _quantity: number): Promise<string> {
        return id;
      }
    }
    const method = Routes.prototype.place;
    expect(method.name).toBe('place');
    expect(method.length).toBe(2);
    const keys = Reflect.getMetadataKeys(method) as string[];
    expect(keys).toEqual(
      expect.arrayContaining(['above', 'below', 'path', 'method', '__guards__']),
    );
  });

  it('works in a handler of messages: pipes before it, retries around it', async () => {
    @Injectable()
    class Billing {
      static readonly tried: number[] = [];
      constructor(private readonly producer: MessageProducer) {}

      @Subscribe('bills', {
        group: 'billing',
        retry: { maxAttempts: 2, backoff: { fromMs: 1, jitter: 0 } },
      })
      @Transactional()
      async bill(@Payload(ParseIntPipe) amount: number): Promise<void> {
        Billing.tried.push(amount);
        await this.producer.send('orders', `billed ${amount} at try ${Billing.tried.length}`);
        if (Billing.tried.length === 1) throw new Error('the bank does not answer');
      }
    }
    const made = await start({
      providers: [Billing, Listener],
      rivulet: { transactions: { participants: [database()] } },
    });
    const published = made.events.next('published', ({ topic }) => topic === 'orders');
    await made.producer.send('bills', '7');
    await published;
    expect(Billing.tried).toEqual([7, 7]);
    expect(await heardBy(made)).toEqual(['billed 7 at try 2']);
  });

  it('works in request-scoped providers', async () => {
    @Injectable({ scope: Scope.REQUEST })
    class Scoped {
      constructor(@Inject(MessageProducer) private readonly producer: MessageProducer) {}

      @Transactional()
      async place(id: string): Promise<string> {
        return (await this.producer.send('orders', id)).state;
      }
    }
    const { app } = await start({
      providers: [Scoped],
      rivulet: { transactions: { participants: [database()] } },
    });
    const [one, other] = [await app.resolve(Scoped), await app.resolve(Scoped)];
    expect(one).not.toBe(other);
    expect([await one.place('a'), await other.place('b')]).toEqual(['half', 'half']);
  });

  it('works on what a factory made', async () => {
    const { app } = await start({
      providers: [
        {
          provide: 'ORDERS',
          inject: [MessageProducer, Transactions],
          useFactory: (producer: MessageProducer, transactions: Transactions) =>
            new Orders(producer, transactions),
        },
      ],
      rivulet: { transactions: { participants: [database()] } },
    });
    expect(await app.get<Orders>('ORDERS').place('a')).toBe('half');
  });

  it('works on each of several objects of one class that factories made', async () => {
    const made = (provide: string) => ({
      provide,
      inject: [MessageProducer, Transactions],
      useFactory: (producer: MessageProducer, transactions: Transactions) =>
        new Orders(producer, transactions),
    });
    const { app } = await start({
      providers: [made('FIRST'), made('SECOND')],
      rivulet: { transactions: { participants: [database()] } },
    });
    for (const name of ['FIRST', 'SECOND'])
      expect(await app.get<Orders>(name).place('a')).toBe('half');
  });

  it('works on an object that an application was given which another one had before', async () => {
    class Given {
      @Transactional()
      async run(): Promise<string> {
        return 'ran';
      }
    }
    const given = new Given();
    for (let i = 0; i < 2; i++) {
      await start({
        providers: [{ provide: Given, useValue: given }],
        rivulet: { transactions: { participants: [database()] } },
      });
      expect(await given.run()).toBe('ran');
      await closeApps();
    }
  });

  it('never meets another application of the process', async () => {
    const [first, second] = [database(), database()];
    const apps = await Promise.all(
      [first, second].map((participant) =>
        start({
          providers: [Orders, Listener],
          rivulet: { transactions: { participants: [participant] } },
        }),
      ),
    );
    const published = apps.map(({ events }) => events.next('published'));
    await Promise.all(apps.map(({ app }, i) => app.get(Orders).place(`app-${i}`)));
    await Promise.all(published);
    expect([first.get('app-0'), first.get('app-1')]).toEqual(['placed', undefined]);
    expect(await heardBy(apps[1]!)).toEqual(['app-1']);
  });

  it('takes what is sent in any way: in batches, one-way, and by a client of Nest', async () => {
    @Injectable()
    class Many {
      constructor(
        private readonly producer: MessageProducer,
        private readonly client: RivuletClient,
      ) {}

      @Transactional()
      async send(fails: boolean): Promise<void> {
        await this.producer.sendBatch('orders', [{ body: 1 }, { body: 2 }]);
        this.producer.oneway('orders', 3);
        await lastValueFrom(this.client.emit('orders', 4), { defaultValue: undefined });
        if (fails) throw new Error('no');
      }
    }
    const made = await start({
      providers: [Many, Listener],
      rivulet: {
        transactions: { participants: [database()] },
        topics: { queues: 1 },
      },
    });
    await expect(made.app.get(Many).send(true)).rejects.toThrow('no');
    expect(await heardBy(made)).toEqual([]);
    const published = made.events.next('published');
    await made.app.get(Many).send(false);
    await published;
    expect(await heardBy(made)).toEqual([1, 2, 3, 4]);
  });

  it('belongs to the instance it names', async () => {
    @Injectable()
    class Named {
      constructor(
        @InjectProducer('audit') private readonly audit: MessageProducer,
        private readonly producer: MessageProducer,
        @InjectTransactions('audit') private readonly transactions: Transactions,
      ) {}

      @Transactional({ instance: 'audit' })
      async note(): Promise<string[]> {
        this.transactions.current<MemoryTransaction>()!.set('noted', true);
        const inside = await this.audit.send('notes', 1);
        const apart = await this.producer.send('orders', 1);
        return [inside.state, apart.state];
      }
    }
    const [own, audit] = [database(), database()];
    const { app } = await start({
      imports: [
        RivuletModule.forRoot({
          name: 'audit',
          ...inMemory({ transactions: { participants: [audit] } }),
        }),
      ],
      providers: [Named],
      rivulet: { transactions: { participants: [own] } },
    });
    expect(await app.get(Named).note()).toEqual(['half', 'stored']);
    expect([own.get('noted'), audit.get('noted')]).toEqual([undefined, true]);

    @Injectable()
    class Lost {
      @Transactional({ instance: 'adit' })
      async note(): Promise<void> {}
    }
    await expect(start({ providers: [Lost] })).rejects.toThrow(/Rivulet:adit|"adit"/);
  });

  it('finds its database by name', async () => {
    @Injectable()
    class Stock {
      constructor(private readonly transactions: Transactions) {}

      @Transactional({ participant: 'stock' })
      async take(item: string): Promise<void> {
        this.transactions.current<MemoryTransaction>('stock')!.set(item, 'taken');
      }
    }
    const [orders, stock] = [database('orders'), database('stock')];
    const { app } = await start({
      providers: [Stock],
      rivulet: { transactions: { participants: [orders, stock] } },
    });
    await app.get(Stock).take('tea');
    expect([orders.get('tea'), stock.get('tea')]).toEqual([undefined, 'taken']);
  });

  it('begins nothing on an object that Nest did not make, and says what to do', async () => {
    const orphan = new Orders(undefined as never, undefined as never);
    await expect(orphan.place('a')).rejects.toThrow(
      /@Transactional of Orders.place was called on an object that Nest did not make.*Test.createTestingModule/,
    );
  });

  it('says what a test of the class alone lacks', async () => {
    @Injectable()
    class Alone {
      @Transactional({ instance: 'audit' })
      async later(): Promise<void> {}
    }
    await expect(Test.createTestingModule({ providers: [Alone] }).compile()).rejects.toThrow(
      /Alone\..*"Symbol\(RivuletModule with the name "audit", which @Transactional needs: import it, in a test with stores: new MemoryStores\(\)/,
    );
  });

  it('refuses what would only begin after its end', async () => {
    @Injectable()
    class Lazy {
      @Transactional()
      async later(): Promise<unknown> {
        return of(1) as unknown;
      }
    }
    const { app } = await start({
      providers: [Lazy],
      rivulet: { transactions: { participants: [database()] } },
    });
    await expect(app.get(Lazy).later()).rejects.toThrow('return a promise');
  });

  it('is refused where it is written when it cannot work', () => {
    const declare = (options: object): unknown => {
      class Broken {
        async method(): Promise<void> {}
      }
      const descriptor = Object.getOwnPropertyDescriptor(Broken.prototype, 'method')!;
      return Transactional(options)(Broken.prototype, 'method', descriptor);
    };
    expect(() => declare({ propagation: 'mandatory' })).toThrow(
      /@Transactional of Broken.method: propagation must be/,
    );
    expect(() => declare({ particpant: 'x' })).toThrow('did you mean "participant"?');
    expect(() => declare({ name: 'x', topic: 'y' })).toThrow('message must be a function');
    class Whole {
      static shared(): void {}
    }
    const decorated = (decorator: unknown, method?: string) =>
      (decorator as (...args: unknown[]) => void)(
        Whole,
        ...(method ? [method, Object.getOwnPropertyDescriptor(Whole, method)] : []),
      );
    for (const [method, name] of [
      [undefined, 'Whole'],
      ['shared', 'Whole.shared'],
    ] as const) {
      expect(() => decorated(Transactional(), method)).toThrow(
        `@Transactional of ${name}: only methods of instances can be transactional`,
      );
      expect(() => decorated(TransactionCheck('x'), method)).toThrow(
        `@TransactionCheck of ${name}: only methods of instances can answer`,
      );
    }
  });

  it('stops the start when it has no database, or one that is not there', async () => {
    await expect(start({ providers: [Orders] })).rejects.toThrow(
      /@Transactional of Orders.place: no database takes part/,
    );
    @Injectable()
    class Stock {
      @Transactional({ participant: 'stok' })
      async take(): Promise<void> {}
    }
    const participants = [database('stock'), database('orders')];
    await expect(
      start({ providers: [Stock], rivulet: { transactions: { participants } } }),
    ).rejects.toThrow(
      '@Transactional of Stock.take: no participant is named "stok", did you mean "stock"?',
    );
    const down = database();
    down.goDown();
    await expect(
      start({ providers: [], rivulet: { transactions: { participants: [down] } } }),
    ).rejects.toThrow('Participant "default" is not ready for transactions');
  });

  it('has its options checked with the others', async () => {
    const transactions = {
      halfTimoutMs: 1,
      store: 'redis',
      participants: [{}, database(), database()],
    };
    await expect(
      start({ rivulet: { transactions: transactions as object, drainMs: -1 } }),
    ).rejects.toThrow(
      /transactions: unknown option "halfTimoutMs", did you mean "halfTimeoutMs"\?.*transactions.store must be.*participants\[0\] must be a TransactionParticipant.*transactions\.participants: two are named "default".*drainMs/,
    );
  });
});
