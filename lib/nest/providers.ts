import type { FactoryProvider, Provider } from '@nestjs/common';
import {
  DiscoveryService,
  ExternalContextCreator,
  MetadataScanner,
  ModulesContainer,
} from '@nestjs/core';
import type { Stores } from '../core/store/stores.js';
import { HandlerExplorer } from './explorer.js';
import { loggerOf, storesOf } from './instance.js';
import { InstanceName } from './instance-names.js';
import { ModuleInstance } from './module-instance.js';
import { type ModuleSettings, moduleSettings, type RivuletModuleOptions } from './options.js';
import { RivuletHealth } from './rivulet-health.js';
import { withClockOf } from './shared-clock.js';
import {
  getAdminToken,
  getClientToken,
  getConsumerToken,
  getEventsToken,
  getHealthToken,
  getOptionsToken,
  getProducerToken,
  getRivuletToken,
  getServerToken,
  getStoresToken,
  getTransactionsToken,
} from './tokens.js';

type Token = FactoryProvider['provide'];

/** Everything of one `RivuletModule`, and which of it other modules may inject. */
export function providersOf(name: string | undefined): { providers: Provider[]; exports: Token[] } {
  const title = name === undefined ? 'RivuletModule' : `RivuletModule "${name}"`;
  const own = (what: string): string => `${what}:${name ?? 'default'}`;
  const settings = own('RivuletSettings');
  const instance = own('RivuletInstance');
  const stores = getStoresToken(name);

  const parts = [
    part(getProducerToken(name), ({ producer }) => producer),
    part(getConsumerToken(name), ({ consumer }) => consumer),
    part(getAdminToken(name), ({ admin }) => admin),
    part(getRivuletToken(name), ({ rivulet }) => rivulet),
    part(getEventsToken(name), ({ rivulet }) => rivulet.events),
    part(getTransactionsToken(name), ({ rivulet }) => rivulet.transactions),
    part(getHealthToken(name), ({ rivulet }) => new RivuletHealth({ rivulet })),
    part(getServerToken(name), ({ server }) => server),
    part(getClientToken(name), ({ client }) => client),
  ];
  const providers = [
    { provide: own('RivuletName'), useValue: new InstanceName(name) },
    {
      provide: settings,
      inject: [getOptionsToken(name)],
      useFactory: (given: RivuletModuleOptions) => moduleSettings(given, `Options of ${title}`),
    },
    {
      provide: stores,
      inject: [settings],
      useFactory: (from: ModuleSettings) => storesOf(from, loggerOf(from, title)),
    },
    {
      provide: instance,
      inject: [
        settings,
        stores,
        DiscoveryService,
        MetadataScanner,
        ExternalContextCreator,
        ModulesContainer,
      ],
      useFactory: (
        from: ModuleSettings,
        over: Stores,
        discovery: DiscoveryService,
        scanner: MetadataScanner,
        creator: ExternalContextCreator,
        modules: ModulesContainer,
      ) =>
        new ModuleInstance({
          name,
          title,
          settings: withClockOf(over, from, `Options of ${title}`),
          stores: over,
          explorer: new HandlerExplorer({ discovery, scanner }),
          creator,
          host: [...modules.values()].find((module) => module.providers.has(instance)),
        }),
    },
    // A provider of its own, since Nest calls the hooks of providers.
    part(own('RivuletLifecycle'), ({ lifecycle }) => lifecycle),
    ...parts,
  ];
  return { providers, exports: [...parts.map(({ provide }) => provide), stores] };

  function part(provide: Token, pick: (made: ModuleInstance) => unknown): FactoryProvider {
    return { provide, inject: [instance], useFactory: pick };
  }
}
