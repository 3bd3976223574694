import {
  type DynamicModule,
  Module,
  type OnModuleInit,
  type Provider,
  type Type,
} from '@nestjs/common';
import { DiscoveryModule, ModulesContainer } from '@nestjs/core';
import { InvalidOptionsError } from '../core/message/errors.js';
import { describeValue, isOptions, notOptions, unknownOptions } from '../core/message/options.js';
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
export class RivuletModule implements OnModuleInit {
  private readonly modules: ModulesContainer;

  constructor(modules: ModulesContainer) {
    this.modules = modules;
  }

  /** Imported as a bare class it brings nothing. Beside one with options that does no harm; alone, no handler would ever run. */
  onModuleInit(): void {
    const isWithOptions = [...this.modules.values()].some(
      ({ metatype, exports }) => metatype === RivuletModule && exports.size > 0,
    );
    if (!isWithOptions)
      throw new InvalidOptionsError('RivuletModule', [
        "it is imported without options, so that nothing is sent and no handler runs: RivuletModule.forRoot({ connection: 'redis://localhost:6379', group: 'shop' })",
      ]);
  }

  /** @throws InvalidOptionsError for what are no options; what is wrong with them is told when the application starts. */
  static forRoot(options: RivuletModuleOptions & RivuletModuleExtras): DynamicModule {
    if (!isOptions(options))
      throw new InvalidOptionsError('RivuletModule.forRoot', [
        `${notOptions('options', options)}. The least is { connection: 'redis://localhost:6379', group: 'shop' }`,
      ]);
    const { name, isGlobal, ...own } = options;
    return build({ name, isGlobal }, [{ provide: getOptionsToken(name), useValue: own }]);
  }

  /** @throws InvalidOptionsError for what makes no options. */
  static forRootAsync(options: RivuletModuleAsyncOptions): DynamicModule {
    const problems = asyncProblems(options);
    if (problems.length > 0) throw new InvalidOptionsError('RivuletModule.forRootAsync', problems);
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
  const factory = (useClass ?? useExisting)!;
  return [
    {
      provide,
      useFactory: (made: RivuletOptionsFactory) => {
        if (typeof made?.createRivuletOptions === 'function') return made.createRivuletOptions();
        throw new InvalidOptionsError('RivuletModule.forRootAsync', [
          `${factory.name} must have a method createRivuletOptions that answers the options`,
        ]);
      },
      inject: [factory],
    },
    ...(useClass ? [useClass] : []),
  ];
}

const WAYS = ['useFactory', 'useClass', 'useExisting'] as const;
const ASYNC_OPTIONS = [
  ...WAYS,
  'inject',
  'imports',
  'extraProviders',
  'name',
  'isGlobal',
] as const satisfies readonly (keyof RivuletModuleAsyncOptions)[];

function asyncProblems(options: RivuletModuleAsyncOptions): string[] {
  const unknown = unknownOptions(options, ASYNC_OPTIONS);
  if (!isOptions(options)) return unknown;
  const ways = WAYS.filter((way) => options[way] !== undefined);
  return [
    ...unknown,
    ...(ways.length === 1
      ? []
      : [
          `one of ${WAYS.join(', ')} is needed: who makes the options, got: ${ways.join(' and ') || 'none'}`,
        ]),
    ...ways
      .filter((way) => typeof options[way] !== 'function')
      .map(
        (way) =>
          `${way} must be a ${way === 'useFactory' ? 'function' : 'class'}, got: ${describeValue(options[way])}`,
      ),
  ];
}
