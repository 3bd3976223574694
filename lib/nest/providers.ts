import { type FactoryProvider, Logger as NestLogger, type Provider } from '@nestjs/common';
import {
  DiscoveryService,
  ExternalContextCreator,
  MetadataScanner,
  ModulesContainer,
} from '@nestjs/core';
import type { Events } from '../core/runtime/events.js';
import type { Logger } from '../core/runtime/logger.js';
import { Rivulet } from '../core/rivulet.js';
import type { Stores } from '../core/store/stores.js';
import { MessageAdmin } from '../inspect/message-admin.js';
import { RedisStores } from '../redis/redis-stores.js';
import { HandlerExplorer } from './explorer.js';
import { HandlerRunner } from './handler-runner.js';
import { InstanceName } from './instance-names.js';
import { RivuletLifecycle } from './lifecycle.js';
import { MessageProducer } from './message-producer.js';
import { type ModuleSettings, moduleSettings, type RivuletModuleOptions } from './options.js';
import { Subscriber } from './subscriber.js';
import {
  getAdminToken,
  getClientToken,
  getEventsToken,
  getOptionsToken,
  getProducerToken,
  getRivuletToken,
  getServerToken,
  getStoresToken,
} from './tokens.js';
import { RivuletClient } from './transport/client.js';
import { RivuletServer } from './transport/server.js';

type Token = FactoryProvider['provide'];

/** What other modules may inject. */
export function publicTokens(name: string | undefined): Token[] {
  return [
    getProducerToken(name),
    getAdminToken(name),
    getRivuletToken(name),
    getEventsToken(name),
    getServerToken(name),
    getClientToken(name),
    getStoresToken(name),
  ];
}

/** Everything of one instance. Each is made once; only the lifecycle starts something. */
export function instanceProviders(name: string | undefined): Provider[] {
  const title = name === undefined ? 'RivuletModule' : `RivuletModule "${name}"`;
  const settings = `RivuletSettings:${name ?? 'default'}`;
  const lifecycle = `RivuletLifecycle:${name ?? 'default'}`;
  const rivulet = getRivuletToken(name);
  const stores = getStoresToken(name);
  const loggerOf = ({ logger }: ModuleSettings): Logger => logger ?? new NestLogger(title);

  return [
    { provide: `RivuletName:${name ?? 'default'}`, useValue: new InstanceName(name) },
    provide(settings, [getOptionsToken(name)], (given: RivuletModuleOptions) =>
      moduleSettings(given, `Options of ${title}`),
    ),
    provide(stores, [settings], (from: ModuleSettings): Stores => storesOf(from, loggerOf(from))),
    provide(rivulet, [settings, stores], (from: ModuleSettings, over: Stores) => {
      const { clock, rivulet: core } = from;
      return new Rivulet({ stores: over, settings: core, clock, logger: loggerOf(from) });
    }),
    provide(getEventsToken(name), [rivulet], (core: Rivulet): Events => core.events),
    provide(
      getProducerToken(name),
      [rivulet, settings],
      (core: Rivulet, from: ModuleSettings) =>
        new MessageProducer({ rivulet: core, logger: loggerOf(from) }),
    ),
    provide(getAdminToken(name), [rivulet], (core: Rivulet) => new MessageAdmin({ rivulet: core })),
    provide(
      lifecycle,
      [
        rivulet,
        settings,
        DiscoveryService,
        MetadataScanner,
        ExternalContextCreator,
        ModulesContainer,
      ],
      (
        core: Rivulet,
        from: ModuleSettings,
        discovery: DiscoveryService,
        scanner: MetadataScanner,
        creator: ExternalContextCreator,
        modules: ModulesContainer,
      ) => {
        const logger = loggerOf(from);
        const explorer = new HandlerExplorer({ discovery, scanner });
        const runner = new HandlerRunner({ creator });
        const subscriber = new Subscriber({
          name,
          discovery,
          explorer,
          runner,
          rivulet: core,
          settings: from,
          logger,
        });
        const host = [...modules.values()].find(({ providers }) => providers.has(lifecycle));
        return new RivuletLifecycle({
          rivulet: core,
          settings: from,
          logger,
          host,
          subscribe: () => subscriber.subscribeAll(),
        });
      },
    ),
    provide(getServerToken(name), [], () => new RivuletServer()),
    provide(getClientToken(name), [], () => new RivuletClient()),
  ];
}

// oxlint-disable-next-line typescript/no-explicit-any -- the tokens decide the parameters, as everywhere in Nest
function provide(token: Token, inject: Token[], useFactory: (...args: any[]) => unknown): Provider {
  return { provide: token, inject, useFactory };
}

function storesOf(settings: ModuleSettings, logger: Logger): Stores {
  const { source, namespace, allowEviction, rivulet } = settings;
  if ('stores' in source) return source.stores;
  const { blockMs } = rivulet.consumer;
  return new RedisStores({
    connection: source.connection,
    namespace,
    allowEviction,
    blockMs,
    logger,
  });
}
