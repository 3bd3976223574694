import { afterEach, describe, expect, it } from '@jest/globals';
import {
  type BeforeApplicationShutdown,
  Controller,
  Get,
  Injectable,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
  type OnModuleInit,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Ctx, EventPattern, type MicroserviceOptions } from '@nestjs/microservices';
import {
  ClosedError,
  Events,
  MessageProducer,
  type RivuletContext,
  RivuletModule,
  RivuletServer,
  StoreRefusedError,
  Subscribe,
} from 'nestjs-rivulet';
import { ManualClock, MemoryStores } from 'nestjs-rivulet/testing';
import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { within } from '../helpers/workload.js';
import { deferred, stateOf } from './helpers/deferred.js';
import {
  closeApps,
  compile,
  inMemory,
  memoryStores,
  start,
  startHybrid,
} from './helpers/open-app.js';

afterEach(closeApps);

/** A message that was there before the application. */
async function withBacklog(stores: MemoryStores): Promise<void> {
  const { producer, app } = await start({ rivulet: { stores: stores.sibling() } });
  await producer.send('orders', 'backlog');
  await app.close();
}

/** Notes the order of what happens. */
function notedHandlers() {
  const steps: string[] = [];

  @Injectable()
  class Late implements OnModuleInit, OnApplicationBootstrap {
    async onModuleInit() {
      await new Promise((resolve) => setTimeout(resolve, 20));
      steps.push('init');
    }
    async onApplicationBootstrap() {
      await new Promise((resolve) => setTimeout(resolve, 20));
      steps.push('bootstrap');
    }
  }
  @Controller()
  class Handlers {
    @EventPattern<string>('orders', { group: 'pattern' })
    onPattern() {
      steps.push('handler');
    }
    @Subscribe('orders', { group: 'subscribe' })
    onSubscribe() {
      steps.push('handler');
    }
  }
  return { steps, providers: [Late], controllers: [Handlers] };
}

/** Lets time pass until it is so. */
async function passUntil<T>(clock: ManualClock, promise: Promise<T>) {
  const begunAt = clock.monotonic();
  while ((await stateOf(promise)) === 'pending') await clock.advance(20);
  return { value: await promise, tookMs: clock.monotonic() - begunAt };
}

function twoAcks(events: Events): Promise<unknown> {
  return Promise.all(
    ['pattern', 'subscribe'].map((name) => events.next('acked', ({ group }) => group === name)),
  );
}

describe('Starting', () => {
  it('in a hybrid application begins to read after every provider is ready', async () => {
    const stores = memoryStores();
    await withBacklog(stores);
    const { steps, ...metadata } = notedHandlers();
    const { app, events } = await compile({ ...metadata, rivulet: { stores } });
    const hybrid = app.createNestApplication({ logger: false });
    hybrid.connectMicroservice({ strategy: app.get(RivuletServer) });
    const acked = twoAcks(events);

    await hybrid.startAllMicroservices();
    // Whatever is sent from now on belongs to the group, though nobody reads yet.
    expect(await stores.topics.groups('orders')).toMatchObject([{ group: 'pattern' }]);
    expect(steps).toEqual([]);
    await hybrid.init();
    await acked;
    expect(steps).toEqual(['init', 'bootstrap', 'handler', 'handler']);
    await hybrid.close();
  });

  it('in a hybrid application has its groups before it reads, so that nothing sent in between is missed', async () => {
    const seen: unknown[] = [];

    @Controller()
    class Handlers {
      @EventPattern<string>('orders', { from: 'latest' })
      on(order: unknown) {
        seen.push(order);
      }
    }
    const stores = memoryStores();
    await withBacklog(stores);
    const { app, events, producer } = await compile({
      controllers: [Handlers],
      rivulet: { stores },
    });
    const hybrid = app.createNestApplication({ logger: false });
    hybrid.connectMicroservice({ strategy: app.get(RivuletServer) });
    await hybrid.startAllMicroservices();
    await producer.send('orders', 'in between');
    const acked = events.next('acked');
    await hybrid.init();
    await acked;
    expect(seen).toEqual(['in between']);
    await hybrid.close();
  });

  it('in a hybrid application that has started reads at once', async () => {
    const stores = memoryStores();
    await withBacklog(stores);
    const { steps, ...metadata } = notedHandlers();
    const { app, events } = await compile({ ...metadata, rivulet: { stores } });
    const hybrid = app.createNestApplication({ logger: false });
    const acked = twoAcks(events);
    await hybrid.init();
    hybrid.connectMicroservice({ strategy: app.get(RivuletServer) });
    await hybrid.startAllMicroservices();
    await acked;
    expect(steps).toEqual(['init', 'bootstrap', 'handler', 'handler']);
    await hybrid.close();
  });

  it('in a microservice reads after every provider is ready, before listen resolves', async () => {
    const stores = memoryStores();
    await withBacklog(stores);
    const { steps, ...metadata } = notedHandlers();
    const app = await NestFactory.createMicroservice<MicroserviceOptions>(
      { module: class App {}, imports: [RivuletModule.forRoot(inMemory({ stores }))], ...metadata },
      {
        inject: [RivuletServer],
        useFactory: (strategy: RivuletServer) => ({ strategy }),
        logger: false,
      } as never,
    );
    const acked = twoAcks(app.get(Events));
    await app.listen();
    expect(steps.slice(0, 2)).toEqual(['init', 'bootstrap']);
    await acked;
    await app.close();
  });

  it('with a server of its own needs no module', async () => {
    const stores = memoryStores();
    await withBacklog(stores);
    const { steps, controllers } = notedHandlers();
    const server = new RivuletServer(inMemory({ stores }));
    const acked = new Promise((resolve) => server.on('acked', resolve));
    const app = await NestFactory.createMicroservice<MicroserviceOptions>(
      { module: class App {}, controllers },
      { strategy: server, logger: false },
    );
    await app.listen();
    await acked;
    expect(steps).toEqual(['handler']);
    await app.close();
    expect(stores.availability.ready).toBe(false);
  });
});

/** A handler that runs until the test lets it end, beside a pool that is destroyed at the end. */
function slowHandler() {
  const started = deferred<RivuletContext>();
  const release = deferred();
  const steps: string[] = [];

  @Injectable()
  class Pool implements OnModuleDestroy, BeforeApplicationShutdown {
    constructor(private readonly producer: MessageProducer) {}
    async onModuleDestroy() {
      steps.push('pool closed');
      await this.producer.send('goodbyes', 'from onModuleDestroy');
    }
    async beforeApplicationShutdown() {
      await this.producer.send('goodbyes', 'from beforeApplicationShutdown');
      steps.push('said goodbye');
    }
  }
  @Controller()
  class Handlers {
    @EventPattern<string>('orders')
    async on(_order: string, @Ctx() ctx: RivuletContext) {
      started.resolve(ctx);
      await release.promise;
      steps.push('handled');
    }
  }
  return { started, release, steps, providers: [Pool], controllers: [Handlers] };
}

describe('Closing', () => {
  it('lets handlers end before any provider is destroyed, while sending goes on', async () => {
    const { started, release, steps, ...metadata } = slowHandler();
    const { app, producer, events } = await startHybrid(metadata);
    const acked = events.next('acked');
    await producer.send('orders', 1);
    await started.promise;
    const closing = app.close();
    expect(await stateOf(closing)).toBe('pending');
    expect(steps).toEqual([]);
    await expect(producer.send('orders', 2)).resolves.toMatchObject({ state: 'stored' });

    release.resolve();
    await closing;
    await acked;
    expect(steps).toEqual(['handled', 'pool closed', 'said goodbye']);
    await expect(producer.send('orders', 3)).rejects.toBeInstanceOf(ClosedError);
    await app.close();
  });

  it('of a microservice drains before its hooks run, too', async () => {
    const { started, release, steps, ...metadata } = slowHandler();
    const app = await NestFactory.createMicroservice<MicroserviceOptions>(
      { module: class App {}, imports: [RivuletModule.forRoot(inMemory())], ...metadata },
      {
        inject: [RivuletServer],
        useFactory: (strategy: RivuletServer) => ({ strategy }),
        logger: false,
      } as never,
    );
    await app.listen();
    await app.get(MessageProducer).send('orders', 1);
    await started.promise;
    const closing = app.close();
    expect(await stateOf(closing)).toBe('pending');
    release.resolve();
    await closing;
    expect(steps).toEqual(['handled', 'pool closed', 'said goodbye']);
  });

  it('keeps no HTTP server waiting for an answer beyond the drain limit', async () => {
    const asked = deferred();
    @Controller()
    class Gateway {
      constructor(private readonly producer: MessageProducer) {}
      @Get()
      async ask() {
        const answer = this.producer.request('nobody', 1).catch((error: Error) => error.name);
        asked.resolve();
        return answer;
      }
    }
    const rivulet = { drainMs: 100, requestTimeoutMs: 30_000 };
    const { app } = await startHybrid({ controllers: [Gateway], rivulet });
    await app.listen(0, '127.0.0.1');
    // Without keep-alive, for which the server would wait, too.
    const response = once(get(await app.getUrl(), { agent: false }), 'response');
    await asked.promise;
    await app.close();
    const [body] = (await response) as [IncomingMessage];
    expect(await text(body)).toBe('ClosedError');
  });

  it('ends within the drain limit, tells the handler, and leaves the message to others', async () => {
    const clock = new ManualClock();
    const stores = new MemoryStores({ clock });
    const { started, steps, providers, controllers } = slowHandler();
    const rivulet = { stores, drainMs: 100 };
    const { app, producer } = await startHybrid({ providers, controllers, rivulet });
    const sent = producer.send('orders', 1);
    const ctx = (await passUntil(clock, started.promise)).value;
    const { messageId } = await sent;
    const { tookMs } = await passUntil(clock, app.close());
    // The limit is fifteen seconds unless told.
    expect(tookMs).toBeLessThan(10_000);
    expect(ctx.signal.aborted).toBe(true);
    expect(steps).toEqual(['pool closed', 'said goodbye']);

    const other = slowHandler();
    other.release.resolve();
    await startHybrid({
      controllers: other.controllers,
      rivulet: { stores: stores.sibling(), heartbeatMs: 20, deadAfterMs: 60 },
    });
    const { value: again } = await passUntil(clock, other.started.promise);
    expect(again.messageId).toBe(messageId);
    await passUntil(clock, closeApps());
  });

  it('may happen while it starts, and more than once', async () => {
    const stores = memoryStores();
    stores.goDown();
    const { app } = await compile({ rivulet: { stores, connectTimeoutMs: 60_000 } });
    const init = app.init().then(
      () => 'started',
      () => 'failed',
    );
    expect(await stateOf(init)).toBe('pending');
    const server = app.get(RivuletServer);
    await Promise.all([server.close(), server.close()]);
    stores.comeUp();
    expect(await init).toBe('started');
    await Promise.all([app.close(), app.close()]);
  });

  it('leaves no listener of signals behind', async () => {
    const before = process.listenerCount('SIGTERM');
    const { app } = await compile({});
    app.enableShutdownHooks(['SIGTERM']);
    await app.init();
    expect(process.listenerCount('SIGTERM')).toBe(before + 1);
    await app.close();
    expect(process.listenerCount('SIGTERM')).toBe(before);
  });
});

describe('A store that is down when the application starts', () => {
  it('fails the start by default, in time, with what to do', async () => {
    const stores = memoryStores();
    stores.goDown();
    const { app } = await compile({ rivulet: { stores, connectTimeoutMs: 50 } });
    await expect(app.init()).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
      message: expect.stringMatching(
        /^RivuletModule could not connect: .* set connectOnBoot to "background"/,
      ),
    });
    // What went on connecting would keep the process alive.
    await expect(stores.open(0)).rejects.toThrow(/closed/);
    await app.close();
  });

  it('is waited for when it goes down while the application starts', async () => {
    const stores = memoryStores();
    const { steps: _, ...metadata } = notedHandlers();
    const { app } = await compile({ ...metadata, rivulet: { stores } });
    const join = stores.topics.joinGroup.bind(stores.topics);
    let refused = 0;
    stores.topics.joinGroup = (...args) => {
      if (++refused > 2) return join(...args);
      return Promise.reject(new StoreRefusedError('Redis is away', { reason: 'NOT_SENT' }));
    };
    const acked = app.get(Events).next('acked');
    await app.init();
    await app.get(MessageProducer).send('orders', 1);
    expect(await acked).toMatchObject({ topic: 'orders' });
    expect(refused).toBeGreaterThan(2);
    await app.close();
  });

  it('fails the start when it stays away then', async () => {
    const stores = memoryStores();
    const { steps: _, ...metadata } = notedHandlers();
    const { app } = await compile({ ...metadata, rivulet: { stores, connectTimeoutMs: 50 } });
    stores.topics.joinGroup = () =>
      Promise.reject(new StoreRefusedError('Redis is away', { reason: 'NOT_SENT' }));
    await expect(app.init()).rejects.toThrow(/^RivuletModule could not connect: Redis is away/);
  });

  it('fails a hybrid start likewise', async () => {
    const stores = memoryStores();
    stores.goDown();
    await expect(startHybrid({ rivulet: { stores, connectTimeoutMs: 50 } })).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
    });
  });

  it('is waited for in the background if so wished', async () => {
    const stores = memoryStores();
    stores.goDown();
    const { steps, ...metadata } = notedHandlers();
    const { app, events, producer } = await startHybrid({
      ...metadata,
      rivulet: { stores, connectOnBoot: 'background' },
    });
    expect(steps).toEqual(['init', 'bootstrap']);
    const acked = twoAcks(events);
    stores.comeUp();
    await producer.send('orders', 1);
    await acked;
    await app.close();
  });

  it('does not keep the application from closing', async () => {
    const stores = memoryStores();
    stores.goDown();
    const { app } = await startHybrid({
      rivulet: { stores, connectOnBoot: 'background', drainMs: 600_000 },
    });
    const closing = within(60_000, 'the end of the application', app.close());
    await expect(closing).resolves.toBeUndefined();
  });
});
