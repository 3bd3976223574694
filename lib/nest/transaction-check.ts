import { InvalidOptionsError } from '../core/message/errors.js';
import { describeValue, unknownOptions } from '../core/message/options.js';
import type { HalfMessage } from '../core/transaction/check-methods.js';
import type { ComposableDecorator } from './composable-decorator.js';
import { requireLegacyDecorators } from './legacy-decorators.js';
import { methodName } from './method-name.js';

export interface TransactionCheckOptions {
  /** Name of the `RivuletModule`, when an application has several. Default: the one without a name. */
  instance?: string;
}

/** A `@TransactionCheck` of a method. */
export interface TransactionCheckMetadata {
  readonly name: string;
  readonly instance: string | undefined;
}

/** What a check method may answer. */
export type CheckAnswer = 'commit' | 'rollback' | 'unknown';

export type TransactionCheckDecorator = ComposableDecorator &
  (<F extends (message: HalfMessage) => CheckAnswer | Promise<CheckAnswer>>(
    target: object,
    method: string,
    descriptor: TypedPropertyDescriptor<F>,
  ) => void);

const KEY = 'nestjs-rivulet:transaction-check';

/**
 * Say what became of a transaction without a database: `@Transactional({ name, … })` of the same name.
 *
 * Asked about a half message whose process died, perhaps in another process than the one that began it: answer from what
 * all of them can see. "unknown" asks again later, and so does an error. Do not answer "rollback" because nothing is there
 * *yet*: the method may still run in a process that was only paused. It is not believed in the first minute; a method that
 * may take longer should answer "unknown". When nobody knows for too long, the message is parked for the operator.
 */
export function TransactionCheck(
  name: string,
  options: TransactionCheckOptions = {},
): TransactionCheckDecorator {
  return (target: object, method: string | symbol) => {
    requireLegacyDecorators('@TransactionCheck', method);
    const where = `@TransactionCheck of ${methodName(target, method)}`;
    const problems = unknownOptions(options, ['instance']);
    if (typeof name !== 'string' || name === '')
      problems.unshift(`the transaction's name must be text, got: ${describeValue(name)}`);
    if (typeof target === 'function') problems.push('only methods of instances can answer');
    if (problems.length > 0) throw new InvalidOptionsError(where, problems);
    // Its own only: a method of a subclass answers in the place of the one it overrides.
    const others = (Reflect.getOwnMetadata(KEY, target, method) ??
      []) as TransactionCheckMetadata[];
    const own: TransactionCheckMetadata = { name, instance: options.instance };
    Reflect.defineMetadata(KEY, [own, ...others], target, method);
  };
}

export function transactionChecks(
  prototype: object,
  method: string,
): readonly TransactionCheckMetadata[] {
  return (Reflect.getMetadata(KEY, prototype, method) ?? []) as TransactionCheckMetadata[];
}
