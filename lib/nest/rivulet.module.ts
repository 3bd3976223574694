import { type DynamicModule, Module, type Provider, type Type } from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import type { RivuletModuleExtras, RivuletModuleOptions } from './options.js';
import { providersOf } from './providers.js';
import { getOptionsToken } from './tokens.js';

export interface RivuletOptionsFactory {
  createRivuletOptions(): RivuletModuleOptions | Promise<RivuletModuleOptions>;
}

/** How to make the options; one of `useFactory`, `useClass` and `useExisting`. */
export interface RivuletModuleAsyncOptions extends RivuletModuleExtras {
  imports?: DynamicModule['imports'];
  inject?: Extract<Provider, { useFactory: unknown }>['inject'];
  // oxlint-disable-next-line typescript/no-explicit-any -- what is injected decides the parameters
  useFactory?: (...args: any[]) => RivuletModuleOptions | Promise<RivuletModuleOptions>;
  useClass?: Type<RivuletOptionsFactory>;
  useExisting?: Type<RivuletOptionsFactory>;
  /** More providers for the factory. */
  extraProviders?: Provider[];
}

/**
 * Messaging for the application: `MessageProducer`, `MessageAdmin`, `RivuletServer`, `RivuletClient` and `Events` can be
 * injected, and methods with `@Subscribe` handle messages.
 *
 * Options that are wrong stop the start of the application with every problem at once.
 */
@Module({})
export class RivuletModule {
  static forRoot(options: RivuletModuleOptions & RivuletModuleExtras): DynamicModule {
    const { name, isGlobal, ...own } = options;
    return build({ name, isGlobal }, [{ provide: getOptionsToken(name), useValue: own }]);
  }

  static forRootAsync(options: RivuletModuleAsyncOptions): DynamicModule {
    const { imports = [], extraProviders = [] } = options;
    return build(options, [...extraProviders, ...asyncOptions(options)], imports);
  }
}

function build(
  extras: RivuletModuleExtras,
  options: Provider[],
  imports: NonNullable<DynamicModule['imports']> = [],
): DynamicModule {
  const { name, isGlobal = true } = extras;
  const { providers, exports } = providersOf(name);
  return {
    module: RivuletModule,
    global: isGlobal,
    imports: [...imports, DiscoveryModule],
    providers: [...options, ...providers],
    exports,
  };
}

function asyncOptions(options: RivuletModuleAsyncOptions): Provider[] {
  const { name, inject = [], useFactory, useClass, useExisting } = options;
  const provide = getOptionsToken(name);
  if (useFactory) return [{ provide, useFactory, inject }];
  const factory = useClass ?? useExisting;
  if (!factory)
    throw new TypeError('RivuletModule.forRootAsync takes useFactory, useClass or useExisting');
  return [
    {
      provide,
      useFactory: (made: RivuletOptionsFactory) => made.createRivuletOptions(),
      inject: [factory],
    },
    ...(useClass ? [useClass] : []),
  ];
}
