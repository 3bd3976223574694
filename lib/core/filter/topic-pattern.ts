import { describeValue } from '../message/options.js';
import { FilterSyntaxError } from './filter-error.js';

/** Longest pattern, in characters: as long as two of the longest topics. */
const LONGEST = 255;
const ONE = '*';
const MANY = '#';
const WORD = /^[A-Za-z0-9_%-]+$/;

/** Whether the text has a wildcard; a topic's name has none. */
export function isTopicPattern(text: unknown): boolean {
  return typeof text === 'string' && /[*#>]/.test(text);
}

/**
 * Whether a topic fits a pattern of words with dots between, as RabbitMQ's topic exchange has them: `*` is one word, `#`
 * any number of words, none included; `>` at the end is ActiveMQ's way to write `#`.
 *
 * Takes time in proportion to the words of both multiplied, whatever the pattern.
 *
 * @throws FilterSyntaxError
 */
export function compileTopicPattern(pattern: string): (topic: string) => boolean {
  const words = parsePattern(pattern);
  return (topic) => !isTopicPattern(topic) && haveCommon(words, topic.split('.'));
}

/** Whether it is this topic, or a pattern that the topic fits. @throws FilterSyntaxError */
export function fitsTopic(nameOrPattern: string, topic: string): boolean {
  return (
    nameOrPattern === topic ||
    (isTopicPattern(nameOrPattern) && compileTopicPattern(nameOrPattern)(topic))
  );
}

/** Whether some topic fits both. @throws FilterSyntaxError */
export function patternsOverlap(a: string, b: string): boolean {
  return haveCommon(parsePattern(a), parsePattern(b));
}

/** Whether some row of words fits both: from the ends to the beginnings, one row of answers per word of `a`. */
function haveCommon(a: readonly string[], b: readonly string[]): boolean {
  let after: boolean[] = [];
  for (let i = a.length; i >= 0; i--) {
    const here = new Array<boolean>(b.length + 1).fill(false);
    for (let j = b.length; j >= 0; j--) {
      const [word, other] = [a[i], b[j]];
      if (word === MANY) here[j] = after[j]! || (j < b.length && here[j + 1]!);
      else if (other === MANY) here[j] = here[j + 1]! || (i < a.length && after[j]!);
      else if (word === undefined || other === undefined) here[j] = word === other;
      else here[j] = after[j + 1]! && (word === ONE || other === ONE || word === other);
    }
    after = here;
  }
  return after[0]!;
}

function parsePattern(pattern: string): string[] {
  if (typeof pattern !== 'string' || pattern.length === 0 || pattern.length > LONGEST)
    throw new FilterSyntaxError(
      'Topic pattern',
      `must be text of 1 to ${LONGEST} characters, got ${describeValue(pattern)}`,
      { expression: pattern, position: 0 },
    );
  const words = pattern.split('.');
  let position = 0;
  return words.map((word, i) => {
    const at = position;
    position += word.length + 1;
    if (word === '>' && i === words.length - 1) return MANY;
    const problem = wordProblem(word);
    if (problem !== undefined)
      throw new FilterSyntaxError('Topic pattern', problem, { expression: pattern, position: at });
    return word;
  });
}

function wordProblem(word: string): string | undefined {
  if (word === ONE || word === MANY || word === '') return undefined;
  if (word === '>') return '">" is any number of words and stands at the end; write "#" elsewhere';
  if (isTopicPattern(word))
    return `a wildcard is a whole word between dots, got ${describeValue(word)}`;
  return WORD.test(word) ? undefined : `no topic has the word ${describeValue(word)}`;
}
