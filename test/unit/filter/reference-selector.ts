import type { Properties, PropertyValue } from 'nestjs-rivulet';
import { Random } from '../../contract/random.js';

/** A second, simple reading of the language: random trees, how they are written, and what they answer. */
export type Condition =
  | { is: 'and' | 'or'; left: Condition; right: Condition }
  | { is: 'not'; term: Condition }
  | { is: 'compare'; sign: string; left: Operand; right: Operand }
  | { is: 'between'; not: boolean; value: Operand; low: Operand; high: Operand }
  | { is: 'text'; not: boolean; word: string; name: string; wanted: string }
  | { is: 'in'; not: boolean; name: string; list: string[] }
  | { is: 'null'; not: boolean; name: string }
  | { is: 'bare'; operand: Operand };
export type Operand =
  | { is: 'value'; value: PropertyValue }
  | { is: 'name'; name: string }
  | { is: 'minus'; term: Operand }
  | { is: 'arithmetic'; sign: string; left: Operand; right: Operand };

const NAMES = ['a', 'b', 'c', 'missing'];
const TEXTS = ['', 'x', 'xy', 'yx', 'x%', "it's", '_x_'];
const PATTERNS = ['%', '_', 'x%', '%x', '%y%', '_y', 'x_', '%x%y%', '__', 'x!%', '!_%'];
const NUMBERS = [0, 1, 2, 3.5, 10];

export function randomProperties(random: Random): Properties {
  const value = (): PropertyValue =>
    random.pick<() => PropertyValue>([
      () => random.pick(NUMBERS),
      () => random.pick(TEXTS),
      () => random.chance(0.5),
    ])();
  return Object.fromEntries(
    ['a', 'b', 'c'].filter(() => random.chance(0.8)).map((name) => [name, value()]),
  );
}

export function randomCondition(random: Random, depth: number): Condition {
  const name = random.pick(NAMES);
  const not = random.chance(0.3);
  const deeper = (): Condition => randomCondition(random, depth - 1);
  const number = (): Operand => randomNumber(random, depth);
  const leaves: (() => Condition)[] = [
    () => ({
      is: 'compare',
      sign: random.pick(['=', '<>', '<', '<=', '>', '>=']),
      left: number(),
      right: number(),
    }),
    () => ({
      is: 'compare',
      sign: random.pick(['=', '<>']),
      left: { is: 'name', name },
      right: { is: 'value', value: random.pick([...TEXTS, true, false]) },
    }),
    () => ({ is: 'between', not, value: number(), low: number(), high: number() }),
    () => {
      const word = random.pick(['LIKE', 'CONTAINS', 'STARTSWITH', 'ENDSWITH']);
      const wanted = random.pick(word === 'LIKE' ? PATTERNS : TEXTS.slice(1));
      return { is: 'text', not, word, name, wanted };
    },
    () => ({ is: 'in', not, name, list: [random.pick(TEXTS), ...random.some(TEXTS, 3)] }),
    () => ({ is: 'null', not, name }),
    () => ({
      is: 'bare',
      operand: random.pick<Operand>([
        { is: 'name', name },
        { is: 'value', value: not },
      ]),
    }),
  ];
  if (depth === 0 || random.chance(0.25)) return random.pick(leaves)();
  return random.pick<() => Condition>([
    () => ({ is: random.pick(['and', 'or'] as const), left: deeper(), right: deeper() }),
    () => ({ is: 'not', term: deeper() }),
  ])();
}

function randomNumber(random: Random, depth: number): Operand {
  if (depth === 0 || random.chance(0.6))
    return random.chance(0.5)
      ? { is: 'name', name: random.pick(NAMES) }
      : { is: 'value', value: random.pick(NUMBERS) };
  if (random.chance(0.2)) return { is: 'minus', term: randomNumber(random, depth - 1) };
  return {
    is: 'arithmetic',
    sign: random.pick(['+', '-', '*', '/']),
    left: randomNumber(random, depth - 1),
    right: randomNumber(random, depth - 1),
  };
}

/** With no more parentheses than needed, or some. */
export function write(condition: Condition, random: Random): string {
  const inside = (term: Condition, needs: boolean): string => {
    const text = write(term, random);
    return needs || random.chance(0.1) ? `(${text})` : text;
  };
  const not = 'not' in condition && condition.not ? ' NOT' : '';
  const o = (operand: Operand): string => writeOperand(operand);
  switch (condition.is) {
    case 'and':
      return `${inside(condition.left, condition.left.is === 'or')} and ${inside(condition.right, condition.right.is === 'or')}`;
    case 'or':
      return `${inside(condition.left, false)} OR ${inside(condition.right, false)}`;
    case 'not':
      return `NOT ${inside(condition.term, condition.term.is === 'or' || condition.term.is === 'and')}`;
    case 'compare':
      return `${o(condition.left)} ${condition.sign} ${o(condition.right)}`;
    case 'between':
      return `${o(condition.value)}${not} BETWEEN ${o(condition.low)} AND ${o(condition.high)}`;
    case 'text': {
      const escape = condition.word === 'LIKE' ? " ESCAPE '!'" : '';
      return `${condition.name}${not} ${condition.word} ${quote(condition.wanted)}${escape}`;
    }
    case 'in':
      return `${condition.name}${not} IN (${condition.list.map(quote).join(', ')})`;
    case 'null':
      return `${condition.name} IS${not} NULL`;
    case 'bare':
      return o(condition.operand);
  }
}

function writeOperand(operand: Operand): string {
  switch (operand.is) {
    case 'value':
      return typeof operand.value === 'string' ? quote(operand.value) : String(operand.value);
    case 'name':
      return operand.name;
    case 'minus':
      return `- ${operand.term.is === 'arithmetic' ? `(${writeOperand(operand.term)})` : writeOperand(operand.term)}`;
    case 'arithmetic': {
      const isProduct = operand.sign === '*' || operand.sign === '/';
      const part = (term: Operand, isRight: boolean): string => {
        const isSum = term.is === 'arithmetic' && (term.sign === '+' || term.sign === '-');
        const needs = term.is === 'arithmetic' && (isRight || (isProduct && isSum));
        return needs ? `(${writeOperand(term)})` : writeOperand(term);
      };
      return `${part(operand.left, false)} ${operand.sign} ${part(operand.right, true)}`;
    }
  }
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

type Three = 'yes' | 'no' | 'unknown';

export function answerOf(condition: Condition, properties: Properties): boolean | null {
  const answer = answer3(condition, properties);
  return answer === 'unknown' ? null : answer === 'yes';
}

function answer3(condition: Condition, properties: Properties): Three {
  switch (condition.is) {
    case 'and':
    case 'or': {
      const both = [condition.left, condition.right].map((term) => answer3(term, properties));
      const wins = condition.is === 'and' ? 'no' : 'yes';
      if (both.includes(wins)) return wins;
      if (both.includes('unknown')) return 'unknown';
      return condition.is === 'and' ? 'yes' : 'no';
    }
    case 'not':
      return { yes: 'no', no: 'yes', unknown: 'unknown' }[
        answer3(condition.term, properties)
      ] as Three;
    case 'compare':
      return comparison(
        condition.sign,
        operandOf(condition.left, properties),
        operandOf(condition.right, properties),
      );
    case 'between': {
      const { not, value, low, high } = condition;
      return answer3(
        {
          is: not ? 'or' : 'and',
          left: { is: 'compare', sign: not ? '<' : '>=', left: value, right: low },
          right: { is: 'compare', sign: not ? '>' : '<=', left: value, right: high },
        },
        properties,
      );
    }
    case 'null':
      return (properties[condition.name] === undefined) === condition.not ? 'no' : 'yes';
    case 'bare': {
      const value = operandOf(condition.operand, properties);
      return typeof value === 'boolean' ? (value ? 'yes' : 'no') : 'unknown';
    }
    case 'in':
    case 'text': {
      const value = properties[condition.name];
      if (value === undefined) return 'unknown';
      if (typeof value !== 'string') return 'no';
      return textual(condition, value) === condition.not ? 'no' : 'yes';
    }
  }
}

function comparison(sign: string, a: PropertyValue | null, b: PropertyValue | null): Three {
  if (a === null || b === null) return 'unknown';
  if (typeof a !== typeof b) return 'no';
  if (sign !== '=' && sign !== '<>' && typeof a !== 'number') return 'no';
  const isEqual = a === b;
  const isLess = a < b;
  const answers: Record<string, boolean> = {
    '=': isEqual,
    '<>': !isEqual,
    '<': isLess,
    '<=': isLess || isEqual,
    '>': !isLess && !isEqual,
    '>=': !isLess,
  };
  return answers[sign] ? 'yes' : 'no';
}

function textual(condition: Condition & { is: 'in' | 'text' }, value: string): boolean {
  if (condition.is === 'in') return condition.list.includes(value);
  const { word, wanted } = condition;
  if (word === 'LIKE') return isLike(Array.from(value), Array.from(wanted), '!');
  if (word === 'CONTAINS') return value.split(wanted).length > 1;
  return word === 'STARTSWITH'
    ? value.slice(0, wanted.length) === wanted
    : value.length >= wanted.length && value.slice(value.length - wanted.length) === wanted;
}

/** As the definition says, and as slow as it likes. */
export function isLike(
  text: readonly string[],
  pattern: readonly string[],
  escape?: string,
): boolean {
  const [first, ...rest] = pattern;
  if (first === undefined) return text.length === 0;
  if (first === escape) return text[0] === rest[0] && isLike(text.slice(1), rest.slice(1), escape);
  if (first === '%')
    return text.some((_, i) => isLike(text.slice(i), rest, escape)) || isLike([], rest, escape);
  return (
    text.length > 0 && (first === '_' || first === text[0]) && isLike(text.slice(1), rest, escape)
  );
}

function operandOf(operand: Operand, properties: Properties): PropertyValue | null {
  switch (operand.is) {
    case 'value':
      return operand.value;
    case 'name':
      return properties[operand.name] ?? null;
    case 'minus': {
      const value = operandOf(operand.term, properties);
      return typeof value === 'number' ? -value : null;
    }
    case 'arithmetic': {
      const left = operandOf(operand.left, properties);
      const right = operandOf(operand.right, properties);
      if (typeof left !== 'number' || typeof right !== 'number') return null;
      const results: Record<string, number> = {
        '+': left + right,
        '-': left - right,
        '*': left * right,
        '/': left / right,
      };
      const result = results[operand.sign]!;
      return Number.isFinite(result) ? result : null;
    }
  }
}
