import { afterEach, describe, expect, it } from '@jest/globals';
import { Inject, Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Test } from '@nestjs/testing';
import {
  Events,
  getClientToken,
  getEventsToken,
  getHealthToken,
  getProducerToken,
  getRivuletToken,
  getServerToken,
  getStoresToken,
  InjectAdmin,
  InjectProducer,
  InjectRivulet,
  InvalidOptionsError,
  MessageAdmin,
  MessageProducer,
  Rivulet,
  RivuletClient,
  RivuletHealth,
  RivuletModule,
  type RivuletModuleOptions,
  RivuletServer,
  Subscribe,
} from 'nestjs-rivulet';
import { silentLogger } from '../../lib/core/runtime/logger.js';
import {
  closeApps,
  inMemory,
  memoryStores,
  type ModuleOptions,
  start,
} from './helpers/open-app.js';

afterEach(closeApps);

const escaped = (text: string): string => text.replaceAll(/[.{}]/g, '\\$&');

async function problemsOf(options: object): Promise<readonly string[]> {
  const compiled = Test.createTestingModule({
    imports: [RivuletModule.forRoot(options as ModuleOptions)],
  }).compile();
  const error: unknown = await compiled.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(InvalidOptionsError);
  return (error as InvalidOptionsError).problems;
}

describe('RivuletModule', () => {
  it('is refused as a bare class, unless it has options elsewhere', async () => {
    const bare = await Test.createTestingModule({ imports: [RivuletModule] }).compile();
    await expect(bare.init()).rejects.toThrow(/imported without options.*RivuletModule\.forRoot\(/);

    @Module({ imports: [RivuletModule] })
    class Feature {}
    const app = await Test.createTestingModule({
      imports: [RivuletModule.forRoot(inMemory()), Feature],
    }).compile();
    await app.init();
    await app.close();
  });

  it('is global, so that any module may inject what it provides', async () => {
    @Injectable()
    class Anywhere {
      constructor(
        readonly producer: MessageProducer,
        readonly admin: MessageAdmin,
        readonly rivulet: Rivulet,
        readonly events: Events,
        readonly server: RivuletServer,
        readonly client: RivuletClient,
      ) {}
    }

    @Module({ providers: [Anywhere], exports: [Anywhere] })
    class Feature {}

    const { app } = await start({ imports: [Feature] });
    const { producer, admin, rivulet, events, server, client } = app.get(Anywhere);
    expect(producer).toBeInstanceOf(MessageProducer);
    expect(admin).toBeInstanceOf(MessageAdmin);
    expect(events).toBe(rivulet.events);
    expect(server).toBeInstanceOf(RivuletServer);
    expect(client).toBeInstanceOf(RivuletClient);
  });

  it('takes an option that is undefined for one that was not given', async () => {
    const transactions = { producerGroup: undefined } as unknown as { producerGroup: string };
    const { app } = await start({ rivulet: { group: 'shop', transactions } });
    expect(app.get(Rivulet).settings.transactions.producerGroup).toBe('shop');
  });

  it('answers a health check as Terminus takes it, for each instance', async () => {
    const { app, stores } = await start({
      imports: [RivuletModule.forRoot(inMemory({ name: 'audit' }))],
    });
    const health = app.get(RivuletHealth);
    expect(await health.check('mq')).toEqual({
      mq: {
        status: 'up',
        store: { server: 'memory', durability: 'none', problems: [] },
        error: undefined,
        producer: { messages: 0, bytes: 0, waiting: 0 },
        subscriptions: [],
      },
    });
    stores.goDown();
    expect(await health.check('mq')).toMatchObject({ mq: { status: 'down' } });
    const audit = app.get<RivuletHealth>(getHealthToken('audit'));
    expect(await audit.check()).toMatchObject({ rivulet: { status: 'up' } });
    stores.comeUp();
  });

  it('names every problem of its options at once', async () => {
    expect(
      await problemsOf({
        grup: 'billing',
        connection: 'http://localhost',
        connectOnBoot: 'later',
        connectTimeoutMs: 0,
        consume: 'yes',
        namespace: 'a b',
        drainMs: -1,
        producer: { sendTimeoutMs: 0 },
        codec: { encode: String },
        codecs: [null, { name: 'x'.repeat(256), encode: String, decode: String }],
      }),
    ).toEqual([
      'unknown option "grup", did you mean "group"?',
      expect.stringContaining('namespace must be'),
      expect.stringContaining('connection must begin with redis://'),
      expect.stringContaining('consume must be true or false'),
      expect.stringContaining('connectOnBoot must be "fail" or "background", got: "later"'),
      expect.stringContaining('connectTimeoutMs must be an integer of at least 1'),
      expect.stringContaining('producer.sendTimeoutMs'),
      expect.stringContaining('codec.name must be text'),
      expect.stringContaining('codec.decode must be a function'),
      expect.stringContaining('codecs[0] must be { name, encode, decode }, got: null'),
      expect.stringContaining('codecs[1].name must be text of at most 255 bytes'),
      expect.stringContaining('drainMs must be'),
    ]);
  });

  it.each([
    [{}, 'connection is missing'],
    [{ stores: memoryStores(), connection: 'redis://localhost' }, 'contradict each other'],
    [{ connection: { cluster: [] } }, 'cluster must list at least one node'],
    [{ stores: memoryStores(), group: 'a b' }, 'group must be'],
    [{ stores: memoryStores(), producer: null }, 'producer must be an object, got: null'],
    [{ stores: memoryStores(), consumer: 'x' }, 'consumer must be an object, got: a text'],
    [{ stores: memoryStores(), handlers: 3 }, 'handlers must be an object, got: 3; its names are'],
    [
      { stores: memoryStores(), logger: { log() {} } },
      'logger must have the methods error, warn, log; missing: error, warn',
    ],
    [
      { stores: memoryStores(), clock: Date },
      'clock must have the methods now, monotonic, after; missing: monotonic, after',
    ],
    [{ stores: memoryStores(), autoCreateTopics: 'no' }, 'autoCreateTopics must be true or false'],
    [{ stores: memoryStores(), allowEviction: 1 }, 'allowEviction must be true or false'],
    [
      { stores: memoryStores(), producer: { ack: 'disk' } },
      'producer: unknown option "ack", did you mean "acks"?',
    ],
  ])('refuses %p', async (options, problem) => {
    expect(await problemsOf(options)).toEqual([expect.stringContaining(problem)]);
  });

  it('takes its options from a factory, a class or a provider that exists', async () => {
    const options: RivuletModuleOptions = inMemory();

    @Injectable()
    class Options {
      createRivuletOptions(): RivuletModuleOptions {
        return options;
      }
    }

    @Module({
      providers: [{ provide: 'OPTIONS', useValue: options }, Options],
      exports: ['OPTIONS', Options],
    })
    class Config {}

    for (const form of [
      { imports: [Config], inject: ['OPTIONS'], useFactory: async (given: object) => given },
      { useClass: Options },
      { imports: [Config], useExisting: Options },
    ]) {
      const app = await Test.createTestingModule({
        imports: [RivuletModule.forRootAsync(form as never)],
      }).compile();
      expect(app.get(Rivulet).stores).toBe(options.stores);
    }
  });

  it.each<[unknown, string]>([
    [undefined, 'options must be an object, got: undefined. The least is { connection:'],
    [null, 'options must be an object, got: null'],
    ['redis://:secret@localhost', 'options must be an object, got: a text'],
  ])('refuses forRoot(%p) where it stands', (options, problem) => {
    expect(() => RivuletModule.forRoot(options as never)).toThrow(
      new RegExp(`^RivuletModule\\.forRoot: ${escaped(problem)}`),
    );
  });

  it.each<[unknown, string]>([
    [undefined, 'options must be an object, got: undefined'],
    [{}, 'one of useFactory, useClass, useExisting is needed: who makes the options, got: none'],
    [
      { useFactory: () => ({}), useClass: Object },
      'is needed: who makes the options, got: useFactory and useClass',
    ],
    [{ useFactory: 3 }, 'useFactory must be a function, got: 3'],
    [{ useFacotry: () => ({}) }, 'unknown option "useFacotry", did you mean "useFactory"?'],
  ])('refuses forRootAsync(%p) where it stands', (options, problem) => {
    expect(() => RivuletModule.forRootAsync(options as never)).toThrow(InvalidOptionsError);
    expect(() => RivuletModule.forRootAsync(options as never)).toThrow(problem);
  });

  it('refuses a class that makes no options', async () => {
    class Nothing {}
    const compiled = Test.createTestingModule({
      imports: [RivuletModule.forRootAsync({ useClass: Nothing as never })],
    }).compile();
    await expect(compiled).rejects.toThrow('Nothing must have a method createRivuletOptions');
  });

  it('refuses options of a factory that are wrong', async () => {
    const compiled = Test.createTestingModule({
      imports: [RivuletModule.forRootAsync({ useFactory: () => undefined as never })],
    }).compile();
    await expect(compiled).rejects.toThrow(
      'Options of RivuletModule: options must be an object, got: undefined',
    );
  });

  it('exists several times in one application, by name', async () => {
    const audit = inMemory({ name: 'audit', group: 'audit' });
    const seen: string[] = [];

    @Injectable()
    class Handlers {
      constructor(
        @InjectProducer('audit') readonly producer: MessageProducer,
        @InjectRivulet('audit') readonly rivulet: Rivulet,
        @InjectAdmin('audit') readonly admin: MessageAdmin,
        @Inject(getClientToken('audit')) readonly client: RivuletClient,
        @Inject(getServerToken('audit')) readonly server: RivuletServer,
      ) {}

      @Subscribe('orders')
      onOrder(order: string) {
        seen.push(`default ${order}`);
      }

      @Subscribe('orders', { instance: 'audit' })
      onAudit(order: string) {
        seen.push(`audit ${order}`);
      }
    }

    const { app, producer } = await start({
      imports: [RivuletModule.forRoot(audit)],
      providers: [Handlers],
    });
    const handlers = app.get(Handlers);
    expect(handlers.producer).toBe(app.get(getProducerToken('audit')));
    expect(handlers.rivulet).toBe(app.get(getRivuletToken('audit')));
    expect(handlers.rivulet).not.toBe(app.get(Rivulet));

    const acked = [Events, getEventsToken('audit')].map((token) =>
      app.get<Events>(token).next('acked'),
    );
    await handlers.producer.send('orders', 'a');
    await producer.send('orders', 'b');
    await Promise.all(acked);
    expect(seen.sort()).toEqual(['audit a', 'default b']);
  });

  it('refuses two instances of one name, and handlers of an instance that does not exist', async () => {
    @Injectable()
    class Handlers {
      @Subscribe('orders', { instance: 'audti' })
      onAudit() {}
    }
    const named = RivuletModule.forRoot(inMemory({ name: 'audit' }));
    await expect(start({ imports: [named], providers: [Handlers] })).rejects.toThrow(
      'Handlers.onAudit wants instance "audti", did you mean "audit"?',
    );
    const second = RivuletModule.forRoot(inMemory());
    await expect(start({ imports: [second] })).rejects.toThrow('two modules have the same name');
  });

  it('keeps two applications of one process apart', async () => {
    const seen: string[] = [];
    const handlersOf = (name: string) => {
      @Injectable()
      class Handlers {
        @Subscribe('orders')
        on(order: string) {
          seen.push(`${name}: ${order}`);
        }
      }
      return Handlers;
    };
    const first = await start({ providers: [handlersOf('first')] });
    const second = await start({ providers: [handlersOf('second')] });
    const acked = [first, second].map(({ events }) => events.next('acked'));
    await first.producer.send('orders', 'a');
    await second.producer.send('orders', 'b');
    await Promise.all(acked);
    expect(seen.sort()).toEqual(['first: a', 'second: b']);
    await first.app.close();
    await expect(second.producer.send('orders', 'c')).resolves.toMatchObject({ state: 'stored' });
  });

  it('needs no Redis in a test that overrides its stores', async () => {
    const stores = memoryStores();
    const app = await Test.createTestingModule({
      imports: [RivuletModule.forRoot({ connection: 'redis://nowhere.invalid', group: 'test' })],
    })
      .overrideProvider(getStoresToken())
      .useValue(stores)
      .setLogger(silentLogger)
      .compile();
    await app.init();
    await expect(app.get(MessageProducer).send('orders', {})).resolves.toMatchObject({
      state: 'stored',
    });
    await app.close();
  });

  it('opens nothing in preview mode', async () => {
    let opened = 0;
    const stores = new Proxy(memoryStores(), {
      get: (target, name, receiver): unknown => {
        opened += 1;
        return Reflect.get(target, name, receiver);
      },
    });

    @Module({ imports: [RivuletModule.forRoot(inMemory({ stores }))] })
    class App {}

    const app = await NestFactory.createApplicationContext(App, { preview: true, logger: false });
    await app.close();
    expect(opened).toBe(0);
  });
});
