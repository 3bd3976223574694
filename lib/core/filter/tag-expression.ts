import { textProblem } from '../message/names.js';
import { describeValue } from '../message/options.js';
import { FilterSyntaxError } from './filter-error.js';

/** The tags of an expression in order, each once; undefined for `*`, which is every message. */
export function parseTags(expression: string): readonly string[] | undefined {
  if (typeof expression !== 'string')
    throw new FilterSyntaxError('Tags', `must be text, got ${describeValue(expression)}`, {
      expression,
      position: 0,
    });
  if (expression.trim() === '*') return undefined;
  const found = new Set<string>();
  let position = 0;
  for (const part of expression.split('||')) {
    const tag = part.trim();
    const at = position + part.length - part.trimStart().length;
    position += part.length + 2;
    const problem = tag === '*' ? '"*" is every tag and stands alone' : tagProblem(tag);
    if (problem !== undefined)
      throw new FilterSyntaxError('Tags', problem, { expression, position: at });
    found.add(tag);
  }
  return [...found];
}

/**
 * Whether a message's tag is one of `a || b`; `*` matches every message, also one without a tag. Tags are compared
 * exactly, upper and lower case apart.
 *
 * @throws FilterSyntaxError for an empty tag, or one that no message can have.
 */
export function compileTags(expression: string): (tag: string | undefined) => boolean {
  const tags = parseTags(expression);
  if (!tags) return () => true;
  const wanted: ReadonlySet<string | undefined> = new Set(tags);
  return (tag) => wanted.has(tag);
}

function tagProblem(tag: string): string | undefined {
  if (/\s&&\s/.test(tag))
    return 'a message has one tag, which is never two; use "||", or selector() over properties';
  if (tag === '') return 'a tag is missing; write "a || b", or "*" for every message';
  return textProblem('tag', tag);
}
