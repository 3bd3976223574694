import { RivuletError } from '../message/errors.js';
import { describeValue } from '../message/options.js';

/** A filter or a topic pattern that cannot be read. `position` counts characters from 0. */
export class FilterSyntaxError extends RivuletError {
  readonly code: string = 'FILTER_SYNTAX';
  readonly expression: string;
  readonly position: number;

  constructor(what: string, problem: string, facts: { expression: string; position: number }) {
    super(
      `${what} ${describeValue(facts.expression)}: ${problem}, at character ${facts.position + 1}`,
    );
    this.expression = facts.expression;
    this.position = facts.position;
  }
}

/** A selector that is not SQL92 as Jakarta Messaging has it. */
export class SelectorSyntaxError extends FilterSyntaxError {
  override readonly code = 'SELECTOR_SYNTAX';

  constructor(problem: string, facts: { expression: string; position: number }) {
    super('Selector', problem, facts);
  }
}
