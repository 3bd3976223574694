import type { DiscoveryService, MetadataScanner } from '@nestjs/core';
import { PATTERN_EXTRAS_METADATA, PATTERN_METADATA } from '@nestjs/microservices/constants.js';
import { InstanceName } from './instance-names.js';
import { type SubscribeMetadata, subscribeMetadata } from './subscribe.js';
import { type TransactionCheckMetadata, transactionChecks } from './transaction-check.js';
import { type TransactionalMetadata, transactionalMetadata } from './transactional.js';

export type InstanceWrapper = ReturnType<DiscoveryService['getProviders']>[number];

/** A method of a provider or controller, wherever Nest keeps its instance. */
export interface HandlerMethod {
  /** `ClassName.methodName`, for errors and log lines. */
  readonly origin: string;
  readonly method: string;
  readonly prototype: object;
  readonly wrapper: InstanceWrapper;
  /** One for each provider of the class; the first is `wrapper`. */
  readonly wrappers: readonly InstanceWrapper[];
  /** Modules that have instances of the class, by name: more than one when several provide it. */
  readonly modules: readonly string[];
}

/** A method with `@Subscribe`. */
export interface DeclaredHandler extends HandlerMethod {
  readonly subscribe: SubscribeMetadata;
}

/** A method of a controller with `@EventPattern` or `@MessagePattern`, of whatever transport. */
export interface PatternMethod extends HandlerMethod {
  /** The very object that Nest hands to the transport. */
  readonly extras: object;
}

/** One pattern of one controller, as Nest will hand it to the transport. */
export interface PatternRegistration {
  readonly origin: string;
  readonly extras: object;
}

/** Finds the methods that were decorated. Answers data; starts nothing, and touches no getter. */
export class HandlerExplorer {
  private readonly discovery: DiscoveryService;
  private readonly scanner: MetadataScanner;

  constructor(options: { discovery: DiscoveryService; scanner: MetadataScanner }) {
    this.discovery = options.discovery;
    this.scanner = options.scanner;
  }

  /** Names of the instances of `RivuletModule` in this application. */
  instanceNames(): (string | undefined)[] {
    return this.discovery
      .getProviders()
      .map(({ instance }) => instance as unknown)
      .filter((instance) => instance instanceof InstanceName)
      .map(({ name }) => name);
  }

  /** Every `@Subscribe` of the application. */
  subscribeHandlers(): DeclaredHandler[] {
    return this.hostedMethods().flatMap((handler) =>
      subscribeMetadata(handler.prototype, handler.method).map((subscribe) => ({
        ...handler,
        subscribe,
      })),
    );
  }

  /** Every `@Transactional` of the application. */
  transactionalMethods(): (HandlerMethod & TransactionalMetadata)[] {
    return this.hostedMethods().flatMap((found) => {
      const metadata = transactionalMetadata(declaring(found), found.method);
      return metadata ? [{ ...found, ...metadata }] : [];
    });
  }

  /** Every `@TransactionCheck` of the application. */
  transactionChecks(): (HandlerMethod & TransactionCheckMetadata)[] {
    return this.hostedMethods().flatMap((found) =>
      transactionChecks(found.prototype, found.method).map((metadata) => ({
        ...found,
        ...metadata,
      })),
    );
  }

  /** Every handler of a pattern. Nest registers them with the transport; here they are found by name. */
  patternMethods(): PatternMethod[] {
    return this.methodsOf(this.discovery.getControllers()).flatMap((handler) => {
      const declared = patternsOf(handler);
      return declared ? [{ ...handler, extras: declared.extras }] : [];
    });
  }

  /** In the order in which Nest hands them over: module by module, controller by controller, each pattern of a method. */
  patternRegistrations(): PatternRegistration[] {
    return this.discovery.getControllers().flatMap((controller) =>
      this.methodsOf([controller]).flatMap((handler) => {
        const { patterns = [], extras = {} } = patternsOf(handler) ?? {};
        return patterns.map(() => ({ origin: handler.origin, extras }));
      }),
    );
  }

  private hostedMethods(): HandlerMethod[] {
    return this.methodsOf([...this.discovery.getControllers(), ...this.discovery.getProviders()]);
  }

  private methodsOf(wrappers: readonly InstanceWrapper[]): HandlerMethod[] {
    // A class that several modules provide has several instances, and still declares each handler once.
    const classes = new Map<object, { modules: string[]; wrappers: InstanceWrapper[] }>();
    const found: HandlerMethod[] = [];
    for (const wrapper of wrappers) {
      const prototype = prototypeOf(wrapper);
      if (!prototype || wrapper.isAlias) continue;
      const module = wrapper.host?.metatype.name ?? '?';
      const known = classes.get(prototype);
      if (known) {
        known.modules.push(module);
        known.wrappers.push(wrapper);
        continue;
      }
      const all = { modules: [module], wrappers: [wrapper] };
      classes.set(prototype, all);
      for (const method of this.scanner.getAllMethodNames(prototype))
        found.push({
          origin: `${prototype.constructor.name}.${method}`,
          method,
          prototype,
          wrapper,
          ...all,
        });
    }
    return found;
  }
}

/** What `@EventPattern` or `@MessagePattern` noted on the function, which a class that inherits it shares. */
function patternsOf({ prototype, method }: HandlerMethod) {
  const callback = (prototype as Record<string, object>)[method]!;
  const patterns = Reflect.getMetadata(PATTERN_METADATA, callback) as unknown[] | undefined;
  const extras = (Reflect.getMetadata(PATTERN_EXTRAS_METADATA, callback) ?? {}) as object;
  return patterns && { patterns, extras };
}

/** Of what Nest constructs by itself: the class. Of values and what factories made: the class of the instance. */
function prototypeOf(wrapper: InstanceWrapper): object | undefined {
  const { metatype, instance } = wrapper as { metatype: unknown; instance: unknown };
  if (metatype && !wrapper.inject) return (metatype as { prototype?: object }).prototype;
  if (typeof instance !== 'object' || instance === null) return undefined;
  const prototype = Object.getPrototypeOf(instance) as object | null;
  return prototype === Object.prototype || prototype === null ? undefined : prototype;
}

/** The class that has the method itself: an inherited one is as transactional as it was declared. */
function declaring({ prototype, method }: HandlerMethod): object {
  let found = prototype;
  while (!Object.hasOwn(found, method)) found = Object.getPrototypeOf(found) as object;
  return found;
}
