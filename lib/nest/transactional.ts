import { isObservable } from 'rxjs';
import { InvalidOptionsError } from '../core/message/errors.js';
import { describeValue, isOptions, notOptions, unknownOptions } from '../core/message/options.js';
import { topicArgumentProblem, type TopicName } from '../core/message/topic.js';
import type { PrepareOptions } from '../core/transaction/half-first.js';
import {
  type TransactionOptions,
  transactionOptionProblems,
} from '../core/transaction/transaction-options.js';
import type { ComposableDecorator } from './composable-decorator.js';
import { injectInstance, instanceOf } from './instance-slot.js';
import { requireLegacyDecorators } from './legacy-decorators.js';
import { methodName } from './method-name.js';
import { replaceMethod } from './replace-method.js';

export interface TransactionalOptions extends TransactionOptions {
  /** Name of the `RivuletModule`, when an application has several. Default: the one without a name. */
  instance?: string | undefined;
}

/** The message of a transaction without a database: its body, and whatever `send` takes. */
export type TransactionMessage<Body = unknown> = Omit<PrepareOptions, 'name'> & { body: Body };

/** A transaction without a database. */
export interface MessageFirstOptions<Args extends unknown[] = unknown[], Body = unknown> {
  /** Pairs it with its `@TransactionCheck(name)`. */
  name: string;
  topic: TopicName<Body>;
  /** Makes the message of the arguments, of all or of the first ones, before the method runs. */
  message(...args: Args): TransactionMessage<NoInfer<Body>>;
  /** Name of the `RivuletModule`, when an application has several. Default: the one without a name. */
  instance?: string | undefined;
}

/** Fits methods that return a promise, and take these arguments first. */
export type TransactionalDecorator<Args extends unknown[]> = ComposableDecorator &
  (<
    // oxlint-disable-next-line typescript/no-explicit-any -- what a method takes after them may be anything
    F extends (...args: [...Args, ...any[]]) => Promise<unknown>,
  >(
    target: object,
    method: string | symbol,
    descriptor: TypedPropertyDescriptor<F>,
  ) => void);

/** A `@Transactional` of a method, as it is checked at the start. */
export type TransactionalMetadata = { readonly instance: string | undefined } & (
  | { readonly kind: 'database'; readonly participant: string | undefined }
  | { readonly kind: 'message-first'; readonly name: string }
);

const KEY = 'nestjs-rivulet:transactional';
const MESSAGE_FIRST_OPTIONS = ['name', 'topic', 'message', 'instance'] as const;

/**
 * Run a method in a database transaction: what it writes through the participant's handle and what it sends become visible
 * together when it returns, and not at all when it throws. Its error reaches the caller unchanged.
 *
 * Fits any method of a provider or controller that returns a promise. Inside another transaction it becomes a part of that,
 * unless `propagation` says otherwise.
 *
 * With `{ name, topic, message }` no database is needed: the message is stored before the method runs and decided after it;
 * when the process dies in between, the method with `@TransactionCheck(name)` is asked.
 */
// oxlint-disable-next-line typescript/no-explicit-any -- any arguments
export function Transactional(options?: TransactionalOptions): TransactionalDecorator<any[]>;
export function Transactional<Args extends unknown[], Body>(
  options: MessageFirstOptions<Args, Body>,
): TransactionalDecorator<Args>;
export function Transactional(
  options: TransactionalOptions | MessageFirstOptions = {},
): TransactionalDecorator<never[]> {
  return (target: object, method: string | symbol, descriptor?: PropertyDescriptor) => {
    requireLegacyDecorators('@Transactional', method);
    const where = `@Transactional of ${methodName(target, method)}`;
    const original: unknown = descriptor?.value;
    if (typeof target === 'function' || typeof original !== 'function')
      throw new TypeError(`${where}: only methods of instances can be transactional`);
    if (transactionalMetadata(target, method))
      throw new InvalidOptionsError(where, ['is there twice; a method has one transaction']);
    if (!isOptions(options)) refuse(where, [notOptions('options', options)]);
    const metadata = metadataFrom(options, where);
    Reflect.defineMetadata(KEY, metadata, target, method);
    injectInstance(target, metadata.instance);
    const run = isMessageFirst(options) ? messageFirst(options, where) : inDatabase(options, where);
    replaceMethod(descriptor as PropertyDescriptor, function (this: unknown, ...args: unknown[]) {
      return run(this, args, async () =>
        promised(await (Reflect.apply(original, this, args) as unknown), where),
      );
    });
  };
}

export function transactionalMetadata(
  prototype: object,
  method: string | symbol,
): TransactionalMetadata | undefined {
  return Reflect.getOwnMetadata(KEY, prototype, method) as TransactionalMetadata | undefined;
}

type Run = (self: unknown, args: unknown[], work: () => Promise<unknown>) => Promise<unknown>;

function inDatabase({ instance, ...options }: TransactionalOptions, where: string): Run {
  return async (self, _args, work) =>
    instanceOf(self, instance, where).transactions.run(work, options);
}

function messageFirst(options: MessageFirstOptions, where: string): Run {
  const { name, topic, message, instance } = options;
  return async (self, args, work) => {
    const rivulet = instanceOf(self, instance, where);
    const { body, ...sendOptions } = message(...args);
    return rivulet.halfFirst.run(work, { topic, body, options: { ...sendOptions, name } });
  };
}

function metadataFrom(
  options: TransactionalOptions | MessageFirstOptions,
  where: string,
): TransactionalMetadata {
  const { instance } = options;
  if (!isMessageFirst(options)) {
    const { instance: _, ...own } = options;
    refuse(where, transactionOptionProblems(own));
    return { kind: 'database', instance, participant: options.participant };
  }
  const { name, topic, message } = options;
  refuse(where, [
    ...unknownOptions(options, MESSAGE_FIRST_OPTIONS),
    ...(typeof name === 'string' && name !== ''
      ? []
      : [`name must be text, got: ${describeValue(name)}`]),
    ...[topicArgumentProblem(topic)].filter((problem) => problem !== undefined),
    ...(typeof message === 'function'
      ? []
      : [
          `message must be a function that makes the message of the arguments, got: ${describeValue(message)}`,
        ]),
  ]);
  return { kind: 'message-first', instance, name };
}

function isMessageFirst(options: object): options is MessageFirstOptions {
  return 'name' in options || 'topic' in options || 'message' in options;
}

function refuse(where: string, problems: readonly string[]): void {
  if (problems.length > 0) throw new InvalidOptionsError(where, problems);
}

/** What has not begun when the method returns cannot be a part of its transaction. */
function promised(result: unknown, where: string): unknown {
  const isLazy =
    isObservable(result) ||
    (typeof result === 'object' && result !== null && Symbol.asyncIterator in result);
  if (isLazy)
    throw new TypeError(
      `${where}: it returned something that only begins when somebody reads it, after the transaction has ended. Rolled back; return a promise.`,
    );
  return result;
}
