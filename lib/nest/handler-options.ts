import { given, suggestion, unknownOptions } from '../core/message/options.js';
import type { HandlerOptions } from './subscribe.js';

/** Handed on to core as they are, and checked there. */
const CORE_OPTIONS = [
  'concurrency',
  'handlerTimeoutMs',
  'retry',
  'from',
  'filter',
  'allowFilterChange',
  'mode',
  'idempotent',
  'ordered',
  'onExhausted',
  'allocation',
  'rateLimit',
  'concurrencyPer',
] as const satisfies readonly (keyof HandlerOptions)[];

/** What a handler may be told, wherever it is told. */
export const HANDLER_OPTIONS = [
  'group',
  'name',
  ...CORE_OPTIONS,
] as const satisfies readonly (keyof HandlerOptions)[];

/** Those of the options that core takes; undefined counts as not given. */
export function coreOptions(options: HandlerOptions) {
  const { concurrency, handlerTimeoutMs, retry, from } = options;
  const { filter, allowFilterChange, mode, idempotent } = options;
  const { ordered, onExhausted, allocation, rateLimit, concurrencyPer } = options;
  return given({
    ...{ concurrency, handlerTimeoutMs, retry, from },
    ...{ filter, allowFilterChange, mode, idempotent },
    ...{ ordered, onExhausted, allocation, rateLimit, concurrencyPer },
  } satisfies Record<(typeof CORE_OPTIONS)[number], unknown>);
}

/** Problems with the names of options. Values are checked by core. */
export function handlerOptionProblems(options: object, known: readonly string[]): string[] {
  return unknownOptions(options, known);
}

/** Problems with the module's options of handlers by name. `names` are those of all handlers there are. */
export function overrideProblems(
  overrides: Readonly<Record<string, HandlerOptions>>,
  names: readonly string[],
): string[] {
  const known = HANDLER_OPTIONS.filter((name) => name !== 'name');
  return Object.entries(overrides).flatMap(([name, options]) => [
    ...(names.includes(name)
      ? []
      : [`handlers: no handler is named "${name}"${suggestion(name, names)}`]),
    ...handlerOptionProblems(options, known).map((problem) => `handlers["${name}"]: ${problem}`),
  ]);
}
