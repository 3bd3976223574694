import { SelectorSyntaxError } from './filter-error.js';
import { compileLike, LikeProblem } from './like.js';
import { type Token, type TokenKind, tokensOf } from './selector-tokens.js';
import { type Comparison, type TextTest, type Tree, type Type, typeOf } from './selector-tree.js';

const DEEPEST = 64;
const MOST_IN_LIST = 256;
const COMPARISONS: readonly string[] = ['=', '<>', '<', '<=', '>', '>='] satisfies Comparison[];
const TEXT_TESTS: readonly string[] = ['CONTAINS', 'STARTSWITH', 'ENDSWITH'] satisfies TextTest[];

/**
 * Reads a selector, from weak to strong: OR, AND, NOT, comparisons, + -, * /, signs (Jakarta Messaging 3.1, 3.8.1).
 *
 * What could never be true for any message is refused, too: a comparison of text with a number, arithmetic with text.
 */
export class SelectorParser {
  private readonly expression: string;
  private readonly tokens: readonly Token[];
  private next = 0;
  private depth = 0;

  /** @throws SelectorSyntaxError */
  constructor(expression: string) {
    this.expression = expression;
    this.tokens = tokensOf(expression);
  }

  /** The same for every way to write it: what members of a group agree on. */
  get canonical(): string {
    return this.tokens
      .filter(({ kind }) => kind !== 'end')
      .map(({ kind, value, number }) => {
        if (kind === 'text') return `'${value.replaceAll("'", "''")}'`;
        return kind === 'number' ? String(number) : value;
      })
      .join(' ');
  }

  /** @throws SelectorSyntaxError */
  parse(): Tree {
    const tree = this.condition();
    if (this.token.kind !== 'end')
      this.fail(`expected AND, OR or the end, got ${describe(this.token)}`);
    return tree;
  }

  private condition(): Tree {
    return this.listOf('OR', () => this.listOf('AND', () => this.negation()));
  }

  private listOf(word: 'AND' | 'OR', term: () => Tree): Tree {
    const at = this.token;
    const first = term();
    if (!this.isWord(word)) return first;
    const terms = [this.boolean(first, at)];
    while (this.takeWord(word)) {
      const beginsAt = this.token;
      terms.push(this.boolean(term(), beginsAt));
    }
    return { kind: word === 'AND' ? 'and' : 'or', terms };
  }

  private negation(): Tree {
    if (!this.takeWord('NOT')) return this.comparison();
    return this.deeper(() => {
      const at = this.token;
      return { kind: 'not', term: this.boolean(this.negation(), at) };
    });
  }

  private comparison(): Tree {
    const at = this.token;
    const left = this.sum();
    const negated = this.takeWord('NOT');
    const operator = this.token;
    const word = operator.kind === 'name' || operator.kind === 'word' ? operator.value : '';
    if (this.takeWord('BETWEEN')) return this.between(this.number(left, at), negated);
    if (this.takeWord('LIKE')) return this.like(this.name(left, at), negated);
    if (this.takeWord('IN')) return this.inList(this.name(left, at), negated);
    if (TEXT_TESTS.includes(word.toUpperCase())) {
      this.next++;
      return this.textTest(this.name(left, at), negated, word.toUpperCase() as TextTest);
    }
    if (negated)
      this.fail(
        `expected BETWEEN, LIKE, IN or ${TEXT_TESTS.join(', ')} after NOT, got ${describe(operator)}`,
      );
    if (this.takeWord('IS')) {
      const isNot = this.takeWord('NOT');
      if (!this.takeWord('NULL')) this.fail(`expected NULL after IS, got ${describe(this.token)}`);
      return { kind: 'is-null', negated: isNot, name: this.name(left, at) };
    }
    if (operator.kind !== 'sign' || !COMPARISONS.includes(operator.value)) return left;
    this.next++;
    return this.compared(left, operator, at);
  }

  private compared(left: Tree, operator: Token, at: Token): Tree {
    const comparison = operator.value as Comparison;
    const rightAt = this.token;
    if (this.isWord('NULL'))
      this.fail('nothing equals NULL; write IS NULL, or IS NOT NULL', operator);
    const right = this.sum();
    const isChained = this.token.kind === 'sign' && COMPARISONS.includes(this.token.value);
    if (isChained) this.fail('a comparison cannot be compared further; use AND, or parentheses');
    if (comparison === '=' || comparison === '<>') {
      const [a, b] = [typeOf(left), typeOf(right)];
      if (a !== 'any' && b !== 'any' && a !== b) this.fail(`${a} is never equal to ${b}`, operator);
    } else {
      this.number(left, at);
      this.number(right, rightAt);
    }
    return { kind: 'compare', comparison, left, right };
  }

  private between(value: Tree, negated: boolean): Tree {
    const lowAt = this.token;
    const low = this.number(this.sum(), lowAt);
    if (!this.takeWord('AND'))
      this.fail(`expected AND between the limits of BETWEEN, got ${describe(this.token)}`);
    const highAt = this.token;
    return { kind: 'between', negated, value, low, high: this.number(this.sum(), highAt) };
  }

  private like(name: string, negated: boolean): Tree {
    const pattern = this.take('text', 'a pattern in quotes after LIKE');
    let escape: string | undefined;
    if (this.takeWord('ESCAPE')) {
      const token = this.take('text', 'one character in quotes after ESCAPE');
      if (Array.from(token.value).length !== 1)
        this.fail('ESCAPE takes exactly one character, in quotes', token);
      escape = token.value;
    }
    try {
      return { kind: 'like', negated, name, matches: compileLike(pattern.value, escape) };
    } catch (error) {
      if (error instanceof LikeProblem) return this.fail(error.message, pattern);
      throw error;
    }
  }

  private inList(name: string, negated: boolean): Tree {
    this.takeSign('(', 'after IN');
    const list: string[] = [];
    do {
      list.push(this.take('text', 'text in quotes in the list of IN').value);
      if (list.length > MOST_IN_LIST) this.fail(`a list of IN holds ${MOST_IN_LIST} at most`);
    } while (this.isSign(',') && this.next++ >= 0);
    this.takeSign(')', 'or a comma in the list of IN');
    return { kind: 'in', negated, name, list };
  }

  private textTest(name: string, negated: boolean, test: TextTest): Tree {
    const wanted = this.take('text', `text in quotes after ${test}`);
    if (wanted.value === '') this.fail(`every text ${test} ''; say what it is to look for`, wanted);
    return { kind: 'text', negated, name, test, wanted: wanted.value };
  }

  private sum(): Tree {
    return this.chain(['+', '-'], () => this.chain(['*', '/'], () => this.signed()));
  }

  private chain(signs: readonly ('+' | '-' | '*' | '/')[], term: () => Tree): Tree {
    const at = this.token;
    const first = term();
    const rest: { sign: '+' | '-' | '*' | '/'; term: Tree }[] = [];
    for (;;) {
      const sign = signs.find((candidate) => this.isSign(candidate));
      if (!sign) break;
      this.next++;
      const beginsAt = this.token;
      rest.push({ sign, term: this.number(term(), beginsAt) });
    }
    return rest.length === 0 ? first : { kind: 'chain', first: this.number(first, at), rest };
  }

  private signed(): Tree {
    const isNegative = this.isSign('-');
    if (!isNegative && !this.isSign('+')) return this.primary();
    this.next++;
    return this.deeper(() => {
      const at = this.token;
      return { kind: 'signed', isNegative, term: this.number(this.signed(), at) };
    });
  }

  private primary(): Tree {
    const { token } = this;
    if (this.isSign('(')) {
      this.next++;
      const tree = this.deeper(() => this.condition());
      this.takeSign(')', `for the ( at character ${token.position + 1}`);
      return tree;
    }
    if (this.takeWord('TRUE')) return { kind: 'literal', value: true };
    if (this.takeWord('FALSE')) return { kind: 'literal', value: false };
    if (this.isWord('NULL')) this.fail('NULL stands after IS or IS NOT only');
    if (!['name', 'text', 'number'].includes(token.kind))
      this.fail(`expected a property, a value or (, got ${describe(token)}`);
    this.next++;
    if (token.kind === 'name') return { kind: 'property', name: token.value };
    return { kind: 'literal', value: token.kind === 'number' ? token.number : token.value };
  }

  private deeper(parse: () => Tree): Tree {
    if (++this.depth > DEEPEST) this.fail(`nested deeper than ${DEEPEST} levels`);
    const tree = parse();
    this.depth--;
    return tree;
  }

  /** The condition as a whole must be one, too. */
  boolean(tree: Tree, at: Token = this.tokens[0]!): Tree {
    return this.typed(tree, 'boolean', at);
  }

  private number(tree: Tree, at: Token): Tree {
    return this.typed(tree, 'number', at);
  }

  private typed(tree: Tree, wanted: Type, at: Token): Tree {
    const type = typeOf(tree);
    if (type !== wanted && type !== 'any')
      this.fail(
        wanted === 'boolean'
          ? `expected a condition here, got a ${type}`
          : `expected a number here, got a ${type}`,
        at,
      );
    return tree;
  }

  private name(tree: Tree, at: Token): string {
    if (tree.kind !== 'property') this.fail('expected the name of a property here', at);
    return (tree as Tree & { kind: 'property' }).name;
  }

  private get token(): Token {
    return this.tokens[this.next]!;
  }

  private take(kind: TokenKind, what: string): Token {
    const { token } = this;
    if (token.kind !== kind) this.fail(`expected ${what}, got ${describe(token)}`);
    this.next++;
    return token;
  }

  private takeSign(sign: string, where: string): void {
    if (!this.isSign(sign)) this.fail(`expected ${sign} ${where}, got ${describe(this.token)}`);
    this.next++;
  }

  private takeWord(word: string): boolean {
    const isThere = this.isWord(word);
    if (isThere) this.next++;
    return isThere;
  }

  private isWord(word: string): boolean {
    return this.token.kind === 'word' && this.token.value === word;
  }

  private isSign(sign: string): boolean {
    return this.token.kind === 'sign' && this.token.value === sign;
  }

  private fail(problem: string, at: Token = this.token): never {
    throw new SelectorSyntaxError(problem, {
      expression: this.expression,
      position: at.position,
    });
  }
}

function describe({ kind, value }: Token): string {
  if (kind === 'end') return 'the end';
  return kind === 'text' ? `'${value}'` : value;
}
