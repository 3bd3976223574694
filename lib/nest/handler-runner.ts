import { ContextIdFactory, ExternalContextCreator, ModuleRef } from '@nestjs/core';
import type { BaseRpcContext } from '@nestjs/microservices';
import { PARAM_ARGS_METADATA } from '@nestjs/microservices/constants.js';
import { RequestContextHost } from '@nestjs/microservices/context/request-context-host.js';
import { RpcParamsFactory } from '@nestjs/microservices/factories/rpc-params-factory.js';
import { catchError, isObservable, type Observable } from 'rxjs';
import { directCall } from './direct-call.js';
import type { HandlerMethod } from './explorer.js';
import { afterFilters, type Filters } from './exception-filters.js';
import type { FailingFilters } from './failing-filters.js';
import { type CallCreator, Surroundings } from './surroundings.js';

/**
 * Calls a handler for one message: a promise of what it returns, or what it returned at once. A returned Observable has
 * not been subscribed to. May throw.
 */
export type RunHandler = (body: unknown, context: BaseRpcContext) => unknown;

type ParamsFactory = Parameters<ExternalContextCreator['create']>[4];
type Target = (...args: unknown[]) => Promise<unknown>;
type Class = abstract new (...args: never[]) => object;

interface ErrorProxy {
  createProxy(target: Target, filters: Pick<Filters, 'next'>, type: string): Target;
}

/** What of `ExternalContextCreator` is looked after differently here; the same in Nest 11 and 12. */
interface Overridden extends CallCreator {
  externalErrorProxy: ErrorProxy;
  getContextModuleKey(): string;
  transformToResult(result: unknown): Promise<unknown>;
}

const RPC = 'rpc';
const ALL = { guards: true, interceptors: true, filters: true };

/**
 * Runs methods as Nest runs the handlers of its microservices: guards, interceptors, pipes and filters of the method,
 * the class and the application, `@Payload` and `@Ctx`, instances of the right scope.
 *
 * Other than the handlers a `Server` is given, these throw the original error.
 */
export class HandlerRunner {
  private readonly creator: ExternalContextCreator;
  private readonly failing: FailingFilters;
  private readonly params = new RpcParamsFactory();

  constructor(options: { creator: ExternalContextCreator; failing: FailingFilters }) {
    this.creator = options.creator;
    this.failing = options.failing;
  }

  async runnerFor(handler: HandlerMethod, pattern: unknown): Promise<RunHandler> {
    const { wrapper } = handler;
    if (!wrapper.isDependencyTreeStatic())
      return (body, context) => this.runScoped(handler, pattern, body, context);
    // A transient class has an instance for each of its users: this handler is one.
    const instance: unknown = wrapper.isTransient
      ? await moduleRefOf(handler).resolve(wrapper.token as Class, undefined, { strict: true })
      : wrapper.instance;
    return this.pipeline(handler, instance as object);
  }

  private async runScoped(
    handler: HandlerMethod,
    pattern: unknown,
    body: unknown,
    context: BaseRpcContext,
  ): Promise<unknown> {
    const { wrapper } = handler;
    const moduleRef = moduleRefOf(handler);
    const request = RequestContextHost.create(pattern as string, body, context);
    const contextId = ContextIdFactory.getByRequest(request);
    const payload = contextId.payload as object | undefined;
    moduleRef.registerRequestByContextId(
      wrapper.isDependencyTreeDurable() ? payload : Object.assign(request, payload),
      contextId,
    );
    const instance = await moduleRef.resolve(wrapper.token as Class, contextId, { strict: true });
    return this.pipeline(handler, instance, contextId)(body, context);
  }

  private pipeline(
    handler: HandlerMethod,
    instance: object,
    contextId?: Parameters<ExternalContextCreator['create']>[5],
  ): RunHandler {
    const { method, wrapper } = handler;
    const callback = (instance as Record<string, (...args: unknown[]) => unknown>)[method]!;
    const around = new Surroundings();
    const errors = new ErrorsToFilters(this.failing);
    const whole = this.creatorFor(wrapper.host!.token, around, errors).create(
      instance,
      callback,
      method,
      PARAM_ARGS_METADATA,
      this.params as unknown as ParamsFactory,
      contextId,
      contextId && wrapper.id,
      ALL,
      RPC,
    ) as RunHandler;
    const params = around.onlyParams;
    if (!params) return whole;
    const { rescue, observed } = errors;
    return directCall({
      method: (args) => callback.apply(instance, args),
      params,
      rescue,
      observed,
    });
  }

  private creatorFor(
    moduleKey: string,
    around: Surroundings,
    errors: ErrorsToFilters,
  ): ExternalContextCreator {
    const creator = this.creator as unknown as Overridden;
    const overridden: Overridden = {
      // Nest looks hosts up among providers only: class-based enhancers of controllers would be left out.
      getContextModuleKey: () => moduleKey,
      // Values of an Observable may be answers; whoever takes the result subscribes, once.
      transformToResult: (result) => Promise.resolve(result),
      externalErrorProxy: errors.proxy(creator.externalErrorProxy),
      ...around.notedOf(creator),
    };
    return Object.assign(Object.create(this.creator) as ExternalContextCreator, overridden);
  }
}

/** Finds instances in the module that provides them. */
function moduleRefOf({ wrapper }: HandlerMethod): ModuleRef {
  return wrapper.host!.providers.get(ModuleRef)!.instance as ModuleRef;
}

/** Exception filters get the errors of the handler, and those of an Observable it returned. */
class ErrorsToFilters {
  private readonly failing: FailingFilters;
  rescue!: (error: unknown, args: unknown[]) => Promise<unknown>;

  constructor(failing: FailingFilters) {
    this.failing = failing;
  }

  readonly observed = (result: Observable<unknown>, args: unknown[]): Observable<unknown> =>
    result.pipe(catchError((error: unknown) => this.rescue(error, args)));

  /** In the place of Nest's own, which is told what the filters of the handler are. */
  proxy(original: ErrorProxy): ErrorProxy {
    return {
      createProxy: (target: Target, filters: Filters, type: string) => {
        const ours: Pick<Filters, 'next'> = {
          next: (error, host) => afterFilters(error, host, filters, this.failing),
        };
        this.rescue = (error, args) =>
          original.createProxy(() => Promise.reject(error), ours, type)(...args);
        const run: Target = async (...args) => {
          const result = await target(...args);
          return isObservable(result) ? this.observed(result, args) : result;
        };
        return original.createProxy(run, ours, type);
      },
    };
  }
}
