import type { INestApplicationContext, ModuleMetadata } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import {
  Events,
  MessageProducer,
  RivuletModule,
  type RivuletModuleExtras,
  type RivuletModuleOptions,
} from 'nestjs-rivulet';
import { silentLogger } from '../../../lib/core/runtime/logger.js';
import { systemClock } from '../../../lib/core/runtime/clock.js';
import { MemoryStores } from 'nestjs-rivulet/testing';

export interface AppOptions extends ModuleMetadata {
  rivulet?: RivuletModuleOptions & RivuletModuleExtras;
}

/** An application on stores in memory. Retries come at once, so that no test waits for them. */
export interface TestApp {
  app: TestingModule;
  stores: MemoryStores;
  events: Events;
  producer: MessageProducer;
}

export const AT_ONCE = { maxAttempts: 3, backoff: { fromMs: 1, jitter: 0 } };

export function memoryStores(): MemoryStores {
  return new MemoryStores({ clock: systemClock });
}

/** Options of a module without Redis. */
export function inMemory(
  options: RivuletModuleOptions & RivuletModuleExtras = {},
): RivuletModuleOptions & RivuletModuleExtras {
  return { stores: memoryStores(), group: 'test', logger: silentLogger, ...options };
}

export async function compile({ rivulet, ...metadata }: AppOptions): Promise<TestApp> {
  const options = inMemory(rivulet);
  const app = await Test.createTestingModule({
    ...metadata,
    imports: [RivuletModule.forRoot(options), ...(metadata.imports ?? [])],
  })
    .setLogger(silentLogger)
    .compile();
  return {
    app,
    stores: options.stores as MemoryStores,
    events: app.get(Events),
    producer: app.get(MessageProducer),
  };
}

const open: INestApplicationContext[] = [];

/** Started; closed by `closeApps`. */
export async function start(options: AppOptions): Promise<TestApp> {
  const made = await compile(options);
  open.push(made.app);
  await made.app.init();
  return made;
}

export async function closeApps(): Promise<void> {
  await Promise.all(open.splice(0).map((app) => app.close()));
}
