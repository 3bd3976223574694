import type { Logger } from '../../core/runtime/logger.js';
import type { Rivulet } from '../../core/rivulet.js';
import { loggerOf, rivuletOf, storesOf } from '../instance.js';
import { RivuletLifecycle } from '../lifecycle.js';
import { type ModuleSettings, moduleSettings, type RivuletModuleOptions } from '../options.js';
import { withClockOf } from '../shared-clock.js';

/** Whose messages a server handles: those of a module's instance, or of one that it has for itself. */
export class ServerHost {
  readonly name: string | undefined;
  readonly rivulet: Rivulet;
  readonly settings: ModuleSettings;
  readonly logger: Logger;
  readonly listen: () => Promise<void>;
  readonly close: () => Promise<void>;
  readonly nextOrigin: (extras: object) => string | undefined;

  constructor(options: {
    name: string | undefined;
    rivulet: Rivulet;
    settings: ModuleSettings;
    logger: Logger;
    listen(): Promise<void>;
    close(): Promise<void>;
    nextOrigin(extras: object): string | undefined;
  }) {
    this.name = options.name;
    this.rivulet = options.rivulet;
    this.settings = options.settings;
    this.logger = options.logger;
    this.listen = () => options.listen();
    this.close = () => options.close();
    this.nextOrigin = (extras) => options.nextOrigin(extras);
  }
}

/** An instance that starts and stops with its server: nobody tells it when the application is ready. */
export function ownHost(options: RivuletModuleOptions, name: string | undefined): ServerHost {
  const title = name === undefined ? 'RivuletServer' : `RivuletServer "${name}"`;
  const given = moduleSettings(options, `Options of ${title}`);
  const logger = loggerOf(given, title);
  const stores = storesOf(given, logger);
  const settings = withClockOf(stores, given, `Options of ${title}`);
  const rivulet = rivuletOf(settings, logger, stores);
  const lifecycle = new RivuletLifecycle({
    rivulet,
    settings,
    logger,
    host: undefined,
    subscribe: () => Promise.resolve(),
  });
  return new ServerHost({
    name,
    rivulet,
    settings,
    logger,
    listen: async () => {
      await lifecycle.onModuleInit();
      await lifecycle.onApplicationBootstrap();
    },
    close: async () => {
      await lifecycle.onModuleDestroy();
      await lifecycle.onApplicationShutdown();
    },
    nextOrigin: () => undefined,
  });
}
