import type { Properties, PropertyValue } from '../message/message.js';
import type { Comparison, TextTest, Tree } from './selector-tree.js';

/** True, false, or unknown: SQL's three values. */
export type Truth = boolean | null;
/** A value of an expression; null is unknown. */
type Value = PropertyValue | null;
/** Answers for the facts of one message. Never throws. */
export type Evaluate<Answer> = (facts: Facts) => Answer;

/** What a selector may ask about. */
export interface Facts {
  readonly properties: Properties;
  readonly tag?: string | undefined;
  readonly key?: string | undefined;
}

/** A condition as a function. What is not boolean where a condition stands is unknown. */
export function conditionOf(tree: Tree): Evaluate<Truth> {
  switch (tree.kind) {
    case 'and':
      return everyOf(tree.terms.map(conditionOf), false);
    case 'or':
      return everyOf(tree.terms.map(conditionOf), true);
    case 'not': {
      const term = conditionOf(tree.term);
      return (facts) => not(term(facts));
    }
    case 'compare':
      return compared(tree.comparison, valueOf(tree.left), valueOf(tree.right));
    case 'between':
      return between(valueOf(tree.value), valueOf(tree.low), valueOf(tree.high), tree.negated);
    case 'in': {
      const list = new Set(tree.list);
      return textProperty(tree, (text) => list.has(text));
    }
    case 'like':
      return textProperty(tree, tree.matches);
    case 'text':
      return textProperty(tree, textTest(tree.test, tree.wanted));
    case 'is-null': {
      const property = propertyOf(tree.name);
      return (facts) => (property(facts) === null) !== tree.negated;
    }
    default: {
      const value = valueOf(tree);
      return (facts) => {
        const answer = value(facts);
        return typeof answer === 'boolean' ? answer : null;
      };
    }
  }
}

function valueOf(tree: Tree): Evaluate<Value> {
  switch (tree.kind) {
    case 'literal':
      return () => tree.value;
    case 'property':
      return propertyOf(tree.name);
    case 'signed': {
      const term = valueOf(tree.term);
      const factor = tree.isNegative ? -1 : 1;
      return (facts) => arithmetic(factor, '*', term(facts));
    }
    case 'chain': {
      const first = valueOf(tree.first);
      const rest = tree.rest.map(({ sign, term }) => ({ sign, term: valueOf(term) }));
      return (facts) => {
        let value = first(facts);
        for (const { sign, term } of rest) value = arithmetic(value, sign, term(facts));
        return value;
      };
    }
    default:
      return conditionOf(tree);
  }
}

/** RocketMQ's names for tag and key, unless the sender gave a property such a name. */
const OF_THE_MESSAGE: Readonly<Record<string, (facts: Facts) => string | undefined>> = {
  TAGS: ({ tag }) => tag,
  KEYS: ({ key }) => key,
};

function propertyOf(name: string): Evaluate<Value> {
  const ofMessage = Object.hasOwn(OF_THE_MESSAGE, name) ? OF_THE_MESSAGE[name] : undefined;
  return (facts) => {
    const { properties } = facts;
    if (Object.hasOwn(properties, name)) return properties[name] ?? null;
    return ofMessage?.(facts) ?? null;
  };
}

/** Ends with the first `decisive` one; unknown if none is and one is unknown. */
function everyOf(terms: readonly Evaluate<Truth>[], decisive: boolean): Evaluate<Truth> {
  return (facts) => {
    let truth: Truth = !decisive;
    for (const term of terms) {
      const answer = term(facts);
      if (answer === decisive) return decisive;
      if (answer === null) truth = null;
    }
    return truth;
  };
}

function not(truth: Truth): Truth {
  return truth === null ? null : !truth;
}

/** Values of different types are neither equal nor unequal, greater nor less: whatever is asked, the answer is no. */
function compared(
  comparison: Comparison,
  left: Evaluate<Value>,
  right: Evaluate<Value>,
): Evaluate<Truth> {
  const holds = COMPARE[comparison];
  const isOrder = comparison !== '=' && comparison !== '<>';
  return (facts) => {
    const a = left(facts);
    const b = right(facts);
    if (a === null || b === null) return null;
    if (typeof a !== typeof b || (isOrder && typeof a !== 'number')) return false;
    return holds(a as number, b as number);
  };
}

const COMPARE: Readonly<Record<Comparison, (a: number, b: number) => boolean>> = {
  '=': (a, b) => a === b,
  '<>': (a, b) => a !== b,
  '<': (a, b) => a < b,
  '<=': (a, b) => a <= b,
  '>': (a, b) => a > b,
  '>=': (a, b) => a >= b,
};

/** As `value >= low AND value <= high`, or `value < low OR value > high`. */
function between(
  value: Evaluate<Value>,
  low: Evaluate<Value>,
  high: Evaluate<Value>,
  negated: boolean,
): Evaluate<Truth> {
  const [above, below] = negated ? (['<', '>'] as const) : (['>=', '<='] as const);
  return everyOf([compared(above, value, low), compared(below, value, high)], negated);
}

/** Of a property that is text. Unknown when it is missing; no, also to NOT, when it is something else. */
function textProperty(
  { name, negated }: { name: string; negated: boolean },
  test: (text: string) => boolean,
): Evaluate<Truth> {
  const property = propertyOf(name);
  return (facts) => {
    const value = property(facts);
    if (value === null) return null;
    return typeof value === 'string' && test(value) !== negated;
  };
}

function textTest(test: TextTest, wanted: string): (text: string) => boolean {
  switch (test) {
    case 'CONTAINS':
      return (text) => text.includes(wanted);
    case 'STARTSWITH':
      return (text) => text.startsWith(wanted);
    case 'ENDSWITH':
      return (text) => text.endsWith(wanted);
  }
}

/** Unknown with anything but numbers, and where the result is none: a division by zero, an overflow. */
function arithmetic(a: Value, sign: '+' | '-' | '*' | '/', b: Value): Value {
  if (typeof a !== 'number' || typeof b !== 'number') return null;
  const result = sign === '+' ? a + b : sign === '-' ? a - b : sign === '*' ? a * b : a / b;
  return Number.isFinite(result) ? result : null;
}
