import { compileSelector, SelectorSyntaxError } from 'nestjs-rivulet';
import { compileLike } from '../../../lib/core/filter/like.js';
import { Random } from '../../contract/random.js';
import { seed as newSeed } from '../../helpers/random.js';
import {
  answerOf,
  isLike,
  randomCondition,
  randomProperties,
  write,
} from './reference-selector.js';

/** RIVULET_FUZZ=1000000 for the long form. */
const ROUNDS = Number(process.env['RIVULET_FUZZ'] ?? 20_000);
const seed = newSeed();

const PIECES = [
  ..."a b NULL TRUE NOT AND OR BETWEEN LIKE IN IS ESCAPE CONTAINS 1 2.5 0x1F 1e3 'x' '' '%_' = <> < >= + - * / ( ) ,".split(
    ' ',
  ),
  ...'\'`"!%;.{}\\\u0000é😀\n0xe'.split(''),
];

/** Refused with a place, or an answer to every message; never anything else. */
function isRefusedOrTotal(expression: string, random: Random): boolean {
  let evaluate: ReturnType<typeof compileSelector>;
  try {
    evaluate = compileSelector(expression);
  } catch (error) {
    if (!(error instanceof SelectorSyntaxError)) throw error;
    return error.position >= 0 && error.position <= expression.length;
  }
  return Array.from({ length: 3 }, () => evaluate(randomProperties(random))).every(
    (answer) => answer === null || typeof answer === 'boolean',
  );
}

/** The first of many that is not as it should be. */
function counterexample(isRight: (random: Random) => string | undefined): string | undefined {
  const random = new Random(seed);
  for (let round = 0; round < ROUNDS; round++) {
    const wrong = isRight(random);
    if (wrong !== undefined) return wrong;
  }
  return undefined;
}

describe(`selectors made at random (seed ${seed})`, () => {
  it('answer as the reference does, however they are written', () => {
    const differing = counterexample((random) => {
      const condition = randomCondition(random, random.between(0, 4));
      const expression = write(condition, random);
      if (expression.length > 1_024) return undefined;
      const evaluate = compileSelector(expression);
      const messages = Array.from({ length: 4 }, () => randomProperties(random));
      const other = messages.find((each) => evaluate(each) !== answerOf(condition, each));
      return other && `${expression} answers ${evaluate(other)} for ${JSON.stringify(other)}`;
    });
    expect(differing).toBeUndefined();
  });

  it('are refused or read when they are nonsense, and never crash', () => {
    const crashing = counterexample((random) => {
      const nonsense = Array.from({ length: random.between(0, 30) }, () => random.pick(PIECES));
      const expression = nonsense.join(random.pick([' ', '', '  ']));
      return isRefusedOrTotal(expression, random) ? undefined : expression;
    });
    expect(crashing).toBeUndefined();
  });

  it('are refused or read when something in them is wrong', () => {
    const crashing = counterexample((random) => {
      const right = write(randomCondition(random, 3), random).slice(0, 1_000);
      const at = random.between(0, right.length);
      const rest = right.slice(at + random.between(0, 3));
      const wrong = right.slice(0, at) + random.pick(PIECES) + rest;
      return isRefusedOrTotal(wrong, random) ? undefined : wrong;
    });
    expect(crashing).toBeUndefined();
  });

  it('take no more than a moment when they nest, repeat, or look far back', () => {
    const random = new Random(seed);
    const deep = [
      ['(', ')'],
      ['- ', ''],
      ['+ ', ''],
      ['NOT ', ''],
    ].map(([open, close]) => `${open!.repeat(200)}a${close!.repeat(200)}`);
    expect(deep.filter((expression) => !isRefusedOrTotal(expression, random))).toEqual([]);
    const text = 'a'.repeat(16_000);
    const patterns = [`${'%a'.repeat(500)}b`, `%${'a_'.repeat(500)}b%`, `${'%_'.repeat(500)}b`];
    expect(patterns.filter((pattern) => compileLike(pattern)(text))).toEqual([]);
  });

  it('find with LIKE what its definition says', () => {
    const differing = counterexample((random) => {
      const letters = (most: number, from: readonly string[]): string =>
        Array.from({ length: random.between(0, most) }, () => random.pick(from)).join('');
      const text = letters(8, ['a', 'b', '😀', '%']);
      const pattern = letters(7, ['a', 'b', '😀', '%', '%', '_', '!%', '!_', '!!']);
      const isRight =
        compileLike(pattern, '!')(text) === isLike(Array.from(text), Array.from(pattern), '!');
      return isRight ? undefined : `${text} LIKE ${pattern}`;
    });
    expect(differing).toBeUndefined();
  });

  it('find with LIKE what is longer than a machine word', () => {
    const long = `${'ab'.repeat(40)}c`;
    expect(compileLike(`%${'_b'.repeat(33)}c`)(long)).toBe(true);
    expect(compileLike(`%${'_b'.repeat(33)}c%`)(`${long}d`)).toBe(true);
    expect(compileLike(`%${'b_'.repeat(33)}c%`)(`${long}d`)).toBe(false);
  });
});
