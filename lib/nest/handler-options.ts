import { suggestion, unknownOptions } from '../core/message/options.js';
import type { HandlerOptions } from './subscribe.js';

/** What a handler may be told, wherever it is told. */
export const HANDLER_OPTIONS = [
  'group',
  'concurrency',
  'handlerTimeoutMs',
  'retry',
  'from',
  'name',
  'mode',
  'filter',
  'allowFilterChange',
] as const satisfies readonly (keyof HandlerOptions)[];

/** Part of the design, not of this version: ignoring them would change what a handler is promised. */
const LATER = ['ordered', 'idempotent'] as const;

/** Problems with the names of options and with what this version cannot do. Values are checked by core. */
export function handlerOptionProblems(options: object, known: readonly string[]): string[] {
  const given = options as Readonly<Record<string, unknown>>;
  const later = LATER.filter((name) => given[name] !== undefined && given[name] !== false);
  const problems = later.map((name) => `${name} comes with a later version; leave it out`);
  return [...problems, ...unknownOptions(options, [...known, ...LATER])];
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
