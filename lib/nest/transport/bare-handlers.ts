import { RpcContextCreator } from '@nestjs/microservices/context/rpc-context-creator.js';
import { directCall } from '../direct-call.js';
import { RivuletContext } from '../rivulet-context.js';
import { type CallCreator, Surroundings } from '../surroundings.js';

type Call = (...args: unknown[]) => unknown;

interface ErrorProxy {
  create(target: Call, ...more: unknown[]): Call;
}

/** Where Nest makes the call of each handler of a microservice; the same in Nest 11 and 12, but for hooks, which 11 has not. */
interface HandlerCreator extends CallCreator {
  rpcProxy: ErrorProxy;
  applicationConfig?: { getGlobalPreRequestHooks?(): readonly unknown[] };
  create(this: HandlerCreator, ...args: HandlerArgs): Call;
}

type HandlerArgs = [
  instance: object,
  callback: Call,
  moduleKey: string,
  methodName: string,
  contextId?: unknown,
  inquirerId?: string,
  ...more: unknown[],
];

const CALLS = Symbol('calls bare handlers directly');

/**
 * Lets deliveries reach a handler with nothing around it (guard, interceptor, pipe) without the promises that Nest makes on
 * the way. Its errors, and those of an Observable it returns, go where Nest takes them.
 *
 * It is done where Nest makes the call, in the prototype: a transport is given the call only, which does not say what is around
 * the handler. Calls of other transports are those of Nest. Safe to repeat.
 */
export function callBareHandlersDirectly(): void {
  const prototype = RpcContextCreator.prototype as unknown as HandlerCreator;
  if (Object.hasOwn(prototype, CALLS)) return;
  // oxlint-disable-next-line typescript/unbound-method -- called with its own `this` below
  const { create } = prototype;
  Object.defineProperty(prototype, CALLS, { value: true });
  prototype.create = function (...args) {
    const [instance, callback, , , , inquirerId] = args;
    const hooks = this.applicationConfig?.getGlobalPreRequestHooks?.() ?? [];
    // An instance of its own for each request: what it takes to make one is many times what is saved.
    if (inquirerId !== undefined || hooks.length > 0) return create.apply(this, args);
    const around = new Surroundings();
    let viaNest: ((outcome: Promise<unknown>, given: unknown[]) => unknown) | undefined;
    const rpcProxy: ErrorProxy = {
      create: (target, ...more) => {
        viaNest = (outcome, given) => this.rpcProxy.create(() => outcome, ...more)(...given);
        return this.rpcProxy.create(target, ...more);
      },
    };
    const noted = Object.assign(Object.create(this) as HandlerCreator, around.notedOf(this), {
      rpcProxy,
    });
    const whole = create.apply(noted, args);
    const params = around.onlyParams;
    const back = viaNest;
    if (!params || !back) return whole;
    const direct = directCall({
      method: (given) => callback.apply(instance, given),
      params,
      rescue: (error, given) => back(Promise.reject(error as Error), given),
      observed: (result, given) => back(Promise.resolve(result), given),
    });
    return (...given) => {
      const [body, context] = given;
      return context instanceof RivuletContext ? direct(body, context) : whole(...given);
    };
  };
}
