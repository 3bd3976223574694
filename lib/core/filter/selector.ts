import { InvalidOptionsError } from '../message/errors.js';
import type { Properties } from '../message/message.js';
import { describeValue, integerProblem, unknownOptions } from '../message/options.js';
import { SelectorSyntaxError } from './filter-error.js';
import { conditionOf, type Evaluate, type Truth } from './selector-evaluate.js';
import { SelectorParser } from './selector-parser.js';

export interface SelectorLimits {
  /** Longest expression, in characters: from 1 to 16 384. Default 1 024. */
  maxLength?: number;
}

const DEFAULT_MAX_LENGTH = 1_024;
const LONGEST = 16_384;

/** A selector that was read, with a form that is the same however it was written. */
export interface ReadSelector {
  readonly canonical: string;
  readonly evaluate: Evaluate<Truth>;
}

/** @throws SelectorSyntaxError */
export function readSelector(expression: string, limits: SelectorLimits = {}): ReadSelector {
  const problems = unknownOptions(limits, ['maxLength']);
  const { maxLength = DEFAULT_MAX_LENGTH } = limits ?? {};
  const problem = integerProblem('maxLength', maxLength, { min: 1, max: LONGEST });
  if (problem !== undefined) problems.push(problem);
  if (problems.length > 0) throw new InvalidOptionsError('selector()', problems);
  if (typeof expression !== 'string')
    throw new SelectorSyntaxError(`must be text, got ${describeValue(expression)}`, {
      expression,
      position: 0,
    });
  if (expression.length > maxLength)
    throw new SelectorSyntaxError(
      `takes ${expression.length} characters, ${maxLength} are allowed (the option maxLength, ${LONGEST} at most)`,
      { expression, position: maxLength },
    );
  const parser = new SelectorParser(expression);
  const tree = parser.boolean(parser.parse());
  return { canonical: parser.canonical, evaluate: conditionOf(tree) };
}

/**
 * Compile a selector: SQL92 conditions over properties, with the grammar and the three-valued logic of Jakarta
 * Messaging 3.1, and RocketMQ's `CONTAINS`, `STARTSWITH` and `ENDSWITH`.
 *
 * A message matches when the answer is true; null is unknown, as with a property that is missing. The answer never
 * throws, whatever the properties are, and takes time in proportion to expression and properties.
 *
 * Numbers are JavaScript's: `7 / 2` is 3.5. Properties whose names are no plain words stand in backticks:
 * `` `order-type` = 'new' ``.
 *
 * @throws SelectorSyntaxError with the position, also for whatever no message could ever match by its types.
 */
export function compileSelector(
  expression: string,
  limits?: SelectorLimits,
): (properties: Properties) => boolean | null {
  const { evaluate } = readSelector(expression, limits);
  return (properties) => evaluate({ properties });
}
