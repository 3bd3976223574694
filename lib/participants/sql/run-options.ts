import { InvalidOptionsError } from '../../core/message/errors.js';
import { describeValue, unknownOptions } from '../../core/message/options.js';

/** Of the clients that know it by the words of SQL. */
const LEVELS = ['read committed', 'repeatable read', 'serializable'] as const;

export type Isolation = (typeof LEVELS)[number];

/**
 * The level that a transaction is to have; undefined: as the database is set.
 *
 * @throws InvalidOptionsError for anything else. A client takes no notice of a level in the words of another, and the
 *   transaction would run at the default one.
 */
export function isolationOf(
  options: { isolation?: string | undefined } = {},
): Isolation | undefined {
  const problems = unknownOptions(options, ['isolation']);
  const { isolation } = options ?? {}; // null: told by unknownOptions
  const level = LEVELS.find((known) => known === String(isolation).toLowerCase());
  if (isolation !== undefined && level === undefined)
    problems.push(
      `isolation must be one of ${LEVELS.map((known) => `"${known}"`).join(', ')}, got: ${describeValue(isolation)}`,
    );
  refuse(problems);
  return level;
}

/** @throws InvalidOptionsError for options that are not among these. */
export function checkRunOptions(options: unknown, known: readonly string[]): void {
  if (options !== undefined) refuse(unknownOptions(options, known));
}

function refuse(problems: readonly string[]): void {
  if (problems.length > 0)
    throw new InvalidOptionsError('Option database of a transaction', problems);
}
