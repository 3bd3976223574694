import { compileTopicPattern, FilterSyntaxError } from 'nestjs-rivulet';
import { patternsOverlap } from '../../../lib/core/filter/topic-pattern.js';
import { Random } from '../../contract/random.js';

describe('a topic pattern', () => {
  it.each<[pattern: string, topic: string, fits: boolean]>([
    ['order.*', 'order.created', true],
    ['order.*', 'order', false],
    ['order.*', 'order.created.eu', false],
    ['order.*.created', 'order.eu.created', true],
    ['order.#', 'order', true],
    ['order.#', 'order.created.eu', true],
    ['order.#', 'orders', false],
    ['order.>', 'order.created.eu', true],
    ['order.>', 'order', true],
    ['>', 'anything.at.all', true],
    ['#', 'x', true],
    ['#.eu', 'eu', true],
    ['#.eu', 'order.created.eu', true],
    ['#.created.#', 'order.created.eu', true],
    ['#.created.#', 'order.paid.eu', false],
    ['*.*', 'a.b', true],
    ['*.#.*', 'a', false],
    ['a..b', 'a..b', true],
    ['a.*.b', 'a..b', true],
    ['order.created', 'order.created', true],
  ])('%s and %s: %s', (pattern, topic, fits) => {
    expect(compileTopicPattern(pattern)(topic)).toBe(fits);
  });

  it.each<[pattern: string, position: number, problem: RegExp]>([
    ['', 0, /1 to 255 characters/],
    ['order*', 0, /a whole word/],
    ['a.b#', 2, /a whole word/],
    ['>.a', 0, /at the end/],
    ['a b.*', 0, /no topic has the word/],
    ['a.*.{b}', 4, /no topic has the word/],
  ])('%j is refused with its place', (pattern, position, problem) => {
    expect(() => compileTopicPattern(pattern)).toThrow(FilterSyntaxError);
    expect(() => compileTopicPattern(pattern)).toThrow(problem);
    expect(() => compileTopicPattern(pattern)).toThrow(expect.objectContaining({ position }));
  });

  it('is fast whatever the number of wildcards', () => {
    const fits = compileTopicPattern(Array.from({ length: 100 }, () => '#').join('.'));
    expect(fits(Array.from({ length: 60 }, () => 'a').join('.'))).toBe(true);
  });

  it('overlaps with another when some topic fits both', () => {
    const random = new Random(1);
    // Long enough for two patterns of three words one after the other.
    let topics = [''];
    for (let words = 0; words < 6; words++)
      topics = ['', ...topics.flatMap((topic) => [`${topic}.a`, `${topic}.b`])];
    topics = topics.filter((topic) => topic !== '').map((topic) => topic.slice(1));
    for (let round = 0; round < 400; round++) {
      const [one, other] = [0, 1].map(() =>
        Array.from({ length: random.between(1, 3) }, () => random.pick(['a', 'b', '*', '#'])).join(
          '.',
        ),
      ) as [string, string];
      const both = topics.some(
        (topic) => compileTopicPattern(one)(topic) && compileTopicPattern(other)(topic),
      );
      expect({ one, other, both: patternsOverlap(one, other) }).toEqual({ one, other, both });
      expect(patternsOverlap(other, one)).toBe(both);
    }
  });
});
