import { propertyNameProblem } from '../message/names.js';
import { SelectorSyntaxError } from './filter-error.js';

export type TokenKind = 'name' | 'word' | 'text' | 'number' | 'sign' | 'end';

/** `value` is a name as it is, a word in capitals, text without its quotes, or the sign. */
export interface Token {
  readonly kind: TokenKind;
  readonly value: string;
  readonly number: number;
  readonly position: number;
}

/** Never names of properties. CONTAINS, STARTSWITH and ENDSWITH are words only where an operator may stand. */
const RESERVED = new Set(
  'NULL TRUE FALSE NOT AND OR BETWEEN LIKE IN IS ESCAPE'.split(' ') as readonly string[],
);

const SPACE = /[ \t\r\n\f]/;
const NAME = /[A-Za-z_$][A-Za-z0-9_$]*(?:\.[A-Za-z_$][A-Za-z0-9_$]*)*/y;
/** Java's literals, as Jakarta Messaging asks for: hexadecimal and octal ones, with or without their suffixes. */
const NUMBER =
  /0[xX][0-9a-fA-F]+[lL]?|(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?[lLfFdD]?/y;
const SIGNS = ['<>', '<=', '>=', '<', '>', '=', '+', '-', '*', '/', '(', ')', ','] as const;
/** What people write who know other dialects, and what to write here. */
const FOREIGN: Readonly<Record<string, string>> = {
  '!': 'write <> for "is not"',
  '"': "text stands in single quotes: 'text'",
  '&': 'write AND',
  '|': 'write OR',
  '%': 'there is no remainder; % is a wildcard inside of LIKE patterns',
};

/** @throws SelectorSyntaxError */
export function tokensOf(expression: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  const fail = (problem: string, position = at): never => {
    throw new SelectorSyntaxError(problem, { expression, position });
  };
  const add = (
    kind: TokenKind,
    value: string,
    facts: { length: number; number?: number },
  ): void => {
    const problem = kind === 'name' ? propertyNameProblem(value) : undefined;
    if (problem !== undefined) fail(problem);
    tokens.push({ kind, value, number: facts.number ?? NaN, position: at });
    at += facts.length;
  };
  while (at < expression.length) {
    const character = expression[at]!;
    const name = match(NAME, expression, at);
    const number = match(NUMBER, expression, at);
    if (SPACE.test(character)) at++;
    else if (name !== undefined) {
      const word = name.toUpperCase();
      if (RESERVED.has(word)) add('word', word, { length: name.length });
      else add('name', name, { length: name.length });
    } else if (number !== undefined) {
      if (/[A-Za-z0-9_$]/.test(expression[at + number.length] ?? ''))
        fail('a name cannot begin with a digit, and a number ends before this', at + number.length);
      const value = numberOf(number);
      if (typeof value === 'string') fail(value);
      add('number', number, { length: number.length, number: value as number });
    } else if (character === "'" || character === '`') {
      const { value, length } = quoted(expression, at) ?? fail(`${character} is not closed`);
      add(character === "'" ? 'text' : 'name', value, { length });
    } else {
      const sign = SIGNS.find((candidate) => expression.startsWith(candidate, at));
      if (sign) add('sign', sign, { length: sign.length });
      else fail(`${JSON.stringify(character)} means nothing here${hint(character)}`);
    }
  }
  add('end', '', { length: 0 });
  return tokens;
}

function match(pattern: RegExp, text: string, at: number): string | undefined {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0];
}

/** Text in quotes; twice the quote is one. */
function quoted(text: string, from: number): { value: string; length: number } | undefined {
  const quote = text[from]!;
  let value = '';
  for (let at = from + 1; at < text.length; at++) {
    if (text[at] !== quote) value += text[at];
    else if (text[at + 1] === quote) value += text[at++];
    else return { value, length: at + 1 - from };
  }
  return undefined;
}

/** The number, or what is wrong with it. */
function numberOf(text: string): number | string {
  const isHex = /^0x/i.test(text);
  const digits = text.replace(isHex ? /l$/i : /[lfd]$/i, '');
  const isOctal = /^0[0-9]+$/.test(digits);
  if (isOctal && /[89]/.test(digits)) return `${text} is octal and has a digit beyond 7`;
  const value = isOctal ? parseInt(digits, 8) : Number(digits);
  if (!Number.isFinite(value)) return `${text} is too large`;
  const isExact = isHex || /^[0-9]+$/.test(digits);
  if (isExact && !Number.isSafeInteger(value))
    return `${text} is beyond ${Number.MAX_SAFE_INTEGER}, where whole numbers are not exact any more`;
  return value;
}

function hint(character: string): string {
  const text = FOREIGN[character];
  return text === undefined ? '' : `; ${text}`;
}
