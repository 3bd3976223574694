import { ContextIdFactory, ModuleRef } from '@nestjs/core';
import { InvalidOptionsError } from '../core/message/errors.js';
import type { Rivulet } from '../core/rivulet.js';
import type { CheckMethod } from '../core/transaction/check-methods.js';
import type { HandlerExplorer, HandlerMethod } from './explorer.js';
import { checkInstanceNames } from './instance-names.js';
import { fillSlot } from './instance-slot.js';
import { Problems } from './problems.js';

export interface TransactionBinderOptions {
  /** Of the instance; undefined for the default one. */
  name: string | undefined;
  rivulet: Rivulet;
  explorer: HandlerExplorer;
}

/** Ties the `@Transactional` and `@TransactionCheck` methods of an application to an instance. */
export class TransactionBinder {
  private readonly options: TransactionBinderOptions;

  constructor(options: TransactionBinderOptions) {
    this.options = options;
  }

  /** @throws InvalidOptionsError naming every method that could not work. */
  async bind(): Promise<void> {
    const { name, rivulet, explorer } = this.options;
    const transactional = explorer.transactionalMethods();
    const checks = explorer.transactionChecks();
    const wanted = [...transactional, ...checks].map(({ origin, instance }) => ({
      origin,
      instance,
    }));
    checkInstanceNames(explorer.instanceNames(), wanted);
    const problems = new Problems();
    for (const check of checks.filter(({ instance }) => instance === name))
      await problems.collect(() => {
        rivulet.checks.answer(check.name, checkMethod(check), check.origin);
      });
    for (const method of transactional.filter(({ instance }) => instance === name)) {
      this.fill(method);
      await problems.collect(() => this.check(method));
    }
    problems.refuse();
  }

  private check(method: ReturnType<HandlerExplorer['transactionalMethods']>[number]): void {
    const { rivulet } = this.options;
    try {
      if (method.kind === 'message-first') rivulet.checks.require(method.name);
      else rivulet.transactions.participant(method.participant);
    } catch (error) {
      if (!(error instanceof InvalidOptionsError)) throw error;
      throw new InvalidOptionsError(`@Transactional of ${method.origin}`, error.problems);
    }
  }

  private fill({ wrappers }: HandlerMethod): void {
    const { name, rivulet } = this.options;
    for (const wrapper of wrappers) {
      const isMadeByNest = wrapper.metatype !== null && !wrapper.inject;
      if (!isMadeByNest && wrapper.isDependencyTreeStatic())
        fillSlot(wrapper.instance as object, name, rivulet);
    }
  }
}

/** Calls the method on an instance of the right scope. */
function checkMethod({ wrapper, method }: HandlerMethod): CheckMethod {
  const call = (object: unknown): CheckMethod =>
    (object as Record<string, CheckMethod>)[method]!.bind(object);
  if (wrapper.isDependencyTreeStatic() && !wrapper.isTransient)
    return (message) => call(wrapper.instance)(message);
  const moduleRef = wrapper.host!.providers.get(ModuleRef)!.instance as ModuleRef;
  return async (message) => {
    const token = wrapper.token as Parameters<ModuleRef['resolve']>[0];
    const object: unknown = await moduleRef.resolve(token, ContextIdFactory.create(), {
      strict: true,
    });
    return call(object)(message);
  };
}
