import type { INestApplication, ModuleMetadata } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import {
  Events,
  MessageProducer,
  RivuletClient,
  RivuletModule,
  type RivuletModuleExtras,
  type RivuletModuleOptions,
  RivuletServer,
} from 'nestjs-rivulet';
import { MemoryStores } from 'nestjs-rivulet/testing';
import { systemClock } from '../../../lib/core/runtime/clock.js';
import { silentLogger } from '../../../lib/core/runtime/logger.js';

export type ModuleOptions = RivuletModuleOptions & RivuletModuleExtras;

export interface AppOptions extends ModuleMetadata {
  rivulet?: ModuleOptions;
}

/** An application on stores in memory. */
export interface TestApp<App = TestingModule> {
  app: App;
  stores: MemoryStores;
  events: Events;
  producer: MessageProducer;
  client: RivuletClient;
}

/** Retries without a pause worth waiting for. */
export const AT_ONCE = { maxAttempts: 3, backoff: { fromMs: 1, jitter: 0 } };

export function memoryStores(): MemoryStores {
  return new MemoryStores({ clock: systemClock });
}

/** Options of a module without Redis. */
export function inMemory(options: ModuleOptions = {}): ModuleOptions {
  return { stores: memoryStores(), group: 'test', logger: silentLogger, ...options };
}

/** Not started. */
export async function compile(options: AppOptions): Promise<TestApp> {
  const { rivulet, ...metadata } = options;
  const module = inMemory(rivulet);
  const app = await Test.createTestingModule({
    ...metadata,
    imports: [RivuletModule.forRoot(module), ...(metadata.imports ?? [])],
  })
    .setLogger(silentLogger)
    .compile();
  return {
    app,
    stores: module.stores as MemoryStores,
    events: app.get(Events),
    producer: app.get(MessageProducer),
    client: app.get(RivuletClient),
  };
}

const open: { close(): Promise<unknown> }[] = [];

/** Started; closed by `closeApps`. */
export async function start(options: AppOptions): Promise<TestApp> {
  const made = await compile(options);
  await made.app.init();
  open.push(made.app);
  return made;
}

/** An application that listens on the transport of its module, as `main.ts` of a hybrid application would. */
export async function startHybrid(
  options: AppOptions,
  beforeStart: (app: INestApplication) => void = () => {},
): Promise<TestApp<INestApplication>> {
  const made = await compile(options);
  const app = made.app.createNestApplication({ logger: silentLogger });
  beforeStart(app);
  app.connectMicroservice({ strategy: app.get(RivuletServer) });
  await app.startAllMicroservices();
  await app.init();
  open.push(app);
  return { ...made, app };
}

export async function closeApps(): Promise<void> {
  await Promise.all(open.splice(0).map((app) => app.close()));
}
