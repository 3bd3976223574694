import { DiscoveryService, MetadataScanner, ModuleRef } from '@nestjs/core';
import { type SubscribeMetadata, subscribeMetadata } from './subscribe.js';

export type InstanceWrapper = ReturnType<DiscoveryService['getProviders']>[number];

/** A method of a provider or controller, wherever Nest keeps its instance. */
export interface HandlerMethod {
  /** `ClassName.methodName`, for errors and log lines. */
  readonly origin: string;
  readonly method: string;
  readonly wrapper: InstanceWrapper;
  /** Finds instances in the module that provides them. */
  readonly moduleRef: ModuleRef;
}

export interface DeclaredHandler extends HandlerMethod {
  readonly subscribe: SubscribeMetadata;
}

/** Finds the methods that were decorated. Answers data; starts nothing, and touches no getter. */
export class HandlerExplorer {
  private readonly discovery: DiscoveryService;
  private readonly scanner: MetadataScanner;

  constructor(options: { discovery: DiscoveryService; scanner: MetadataScanner }) {
    this.discovery = options.discovery;
    this.scanner = options.scanner;
  }

  /** Every `@Subscribe` of the application. */
  explore(): DeclaredHandler[] {
    return this.methods().flatMap((handler) =>
      subscribeMetadata(prototypeOf(handler.wrapper)!, handler.method).map((subscribe) => ({
        ...handler,
        subscribe,
      })),
    );
  }

  /** All methods of all controllers. */
  controllerMethods(): HandlerMethod[] {
    return this.methodsOf(this.discovery.getControllers());
  }

  private methods(): HandlerMethod[] {
    return this.methodsOf([...this.discovery.getControllers(), ...this.discovery.getProviders()]);
  }

  private methodsOf(wrappers: readonly InstanceWrapper[]): HandlerMethod[] {
    // A class that several modules provide has several instances, and still declares each handler once.
    const seen = new Set<object>();
    const found: HandlerMethod[] = [];
    for (const wrapper of wrappers) {
      const prototype = prototypeOf(wrapper);
      const moduleRef = wrapper.host?.providers.get(ModuleRef)?.instance as ModuleRef | undefined;
      if (!prototype || !moduleRef || wrapper.isAlias || seen.has(prototype)) continue;
      seen.add(prototype);
      const className = (prototype.constructor as { name?: string }).name;
      for (const method of this.scanner.getAllMethodNames(prototype))
        found.push({ origin: `${className}.${method}`, method, wrapper, moduleRef });
    }
    return found;
  }
}

/** Of what Nest constructs by itself: the class. Of values and what factories made: the class of the instance. */
export function prototypeOf(wrapper: InstanceWrapper): object | undefined {
  const { metatype, instance } = wrapper as { metatype: unknown; instance: unknown };
  if (metatype && !wrapper.inject) return (metatype as { prototype?: object }).prototype;
  if (typeof instance !== 'object' || instance === null) return undefined;
  const prototype = Object.getPrototypeOf(instance) as object | null;
  return prototype === Object.prototype || prototype === null ? undefined : prototype;
}
