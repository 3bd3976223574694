import type { MessageView } from '../../message/message.js';
import { textProblem } from '../../message/names.js';
import { describeValue, integerProblem, unknownOptions } from '../../message/options.js';
import { RejectMessageError } from '../handler-errors.js';

export interface ConcurrencyPer {
  /**
   * What messages have in common that count together: the name of a property, or a function of the message. Answers text
   * of 1 to 255 characters or a number, and anything else makes a dead letter of the message; one without a key (undefined,
   * or no such property) is not limited. Throwing fails the attempt.
   */
  readonly key: string | ((message: MessageView) => string | number | undefined);
  /** Most handlers at once for each key, in all processes together. */
  readonly max: number;
}

/** Problems with the option of a subscription. */
export function concurrencyPerProblems(options: {
  concurrencyPer?: ConcurrencyPer;
  mode?: string;
  ordered?: unknown;
}): (string | undefined)[] {
  const { concurrencyPer: given, mode, ordered = false } = options;
  if (given === undefined) return [];
  if (typeof given !== 'object' || given === null)
    return [`concurrencyPer must be { key, max }, got: ${describeValue(given)}`];
  const { key, max } = given;
  return [
    ...unknownOptions(given, ['key', 'max']).map((problem) => `concurrencyPer: ${problem}`),
    typeof key === 'function' || (typeof key === 'string' && key !== '')
      ? undefined
      : `concurrencyPer.key must be the name of a property or a function of the message, got: ${describeValue(key)}`,
    integerProblem('concurrencyPer.max', max, { min: 1, max: 10_000 }),
    mode === 'broadcasting'
      ? 'concurrencyPer has no place with mode "broadcasting": every process gets every message there; limit its concurrency'
      : undefined,
    ordered !== false
      ? 'concurrencyPer has no place with ordered: a message group has one handler at a time there; send what must not run side by side with one messageGroup'
      : undefined,
  ];
}

/**
 * Undefined: not limited.
 *
 * @throws RejectMessageError when the user's function answers no key; whatever it throws.
 */
export function keyOf(message: MessageView, { key }: ConcurrencyPer): string | undefined {
  const answered: unknown = typeof key === 'function' ? key(message) : message.properties[key];
  if (answered === undefined) return undefined;
  const text = typeof answered === 'number' ? String(answered) : answered;
  const problem = textProblem('concurrencyPer.key', text);
  if (problem !== undefined) throw new RejectMessageError(`it has no key: ${problem}`);
  return text as string;
}
