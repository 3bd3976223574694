import { Logger as NestLogger } from '@nestjs/common';
import { type Logger, steadyLogger } from '../core/runtime/logger.js';
import { Rivulet } from '../core/rivulet.js';
import { nextRun } from '../cron/next-run.js';
import type { Stores } from '../core/store/stores.js';
import { RedisStores } from '../redis/redis-stores.js';
import type { ModuleSettings } from './options.js';

/** @param title what the log calls it unless the options bring a logger, e.g. `RivuletModule`. */
export function loggerOf({ logger }: ModuleSettings, title: string): Logger {
  return steadyLogger(logger ?? new NestLogger(title));
}

export function storesOf(settings: ModuleSettings, logger: Logger): Stores {
  const { source, namespace, allowEviction, rivulet } = settings;
  if ('stores' in source) return source.stores;
  return new RedisStores({
    connection: source.connection,
    namespace,
    allowEviction,
    blockMs: rivulet.consumer.blockMs,
    logger,
  });
}

export function rivuletOf(settings: ModuleSettings, logger: Logger, stores: Stores): Rivulet {
  const { rivulet, clock, telemetry } = settings;
  return new Rivulet({ stores, settings: rivulet, clock, logger, nextRun, telemetry });
}
