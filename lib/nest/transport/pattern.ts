import { createHash } from 'node:crypto';
import { compileTopicPattern } from '../../core/filter/topic-pattern.js';
import { topicProblem } from '../../core/message/names.js';
import { describeValue } from '../../core/message/options.js';
import type { TopicDefinition } from '../../core/message/topic.js';

/** The topic of a pattern, or why it has none. */
export type PatternTopic =
  | { topic: string; definition?: TopicDefinition; problem?: undefined }
  | { problem: string; topic?: undefined; definition?: undefined };

/** Objects nested deeper are refused: a pattern is a name, not a document. */
const DEEPEST = 5;

/** The topic, or the pattern of topics, that a handler of a Nest pattern consumes: `order.*`, `order.#` or `order.>`. */
export function topicsOfPattern(pattern: unknown): PatternTopic {
  if (typeof pattern !== 'string' || !hasWildcard(pattern)) return topicOfPattern(pattern);
  try {
    compileTopicPattern(pattern);
    return { topic: pattern };
  } catch (error) {
    return { problem: (error as Error).message };
  }
}

/**
 * The topic of a Nest pattern: valid topic names go as they are, everything else becomes `rpc.` and a hash, so that
 * both sides find the same topic for `{ cmd: 'sum' }` and `{ "cmd": "sum" }`.
 */
export function topicOfPattern(pattern: unknown): PatternTopic {
  if (isDefinition(pattern)) return { topic: pattern.topic, definition: pattern };
  const text = typeof pattern === 'number' ? String(pattern) : pattern;
  if (typeof text === 'string')
    return topicProblem(text) === undefined ? { topic: text } : ofText(text);
  if (pattern instanceof RegExp)
    return {
      problem: `the pattern ${String(pattern)} is a RegExp; a topic is subscribed by its name, so list the names: @EventPattern(['a', 'b'])`,
    };
  const route = typeof pattern === 'object' && pattern !== null ? canonical(pattern, 0) : undefined;
  if (route !== undefined) return { topic: hashed(route) };
  return {
    problem: `a pattern must be text, a number, or an object of these at most ${DEEPEST} levels deep, got: ${describeValue(pattern)}`,
  };
}

/** What people call the topic of a pattern: the pattern, as text. */
export function patternText(pattern: unknown): string {
  if (isDefinition(pattern)) return pattern.topic;
  return typeof pattern === 'object'
    ? (canonical(pattern, 0) ?? 'an object')
    : `${pattern as string | number}`;
}

/** A pattern in the text of an error: quoted where it is text. */
export function describePattern(pattern: unknown): string {
  return typeof pattern === 'object' ? patternText(pattern) : describeValue(pattern);
}

function ofText(text: string): PatternTopic {
  if (hasWildcard(text))
    return {
      problem: `"${text}" has a wildcard: handlers may have patterns of topics, but a message goes to one topic`,
    };
  if (text.includes('*'))
    return {
      problem: `the pattern "${text}" has a wildcard within a word; wildcards are whole words between dots: order.*, order.#`,
    };
  return { topic: hashed(text) };
}

/** As a whole word between dots. Elsewhere # and > mean nothing. */
function hasWildcard(text: string): boolean {
  return text.split('.').some((word) => word === '*' || word === '#' || word === '>');
}

function hashed(route: string): string {
  return `rpc.${createHash('sha256').update(route).digest('base64url')}`;
}

/** What `defineTopic` made: frozen, with nothing but a name and options. */
function isDefinition(pattern: unknown): pattern is TopicDefinition {
  if (typeof pattern !== 'object' || pattern === null || !Object.isFrozen(pattern)) return false;
  const { topic, options } = pattern as Partial<TopicDefinition>;
  return (
    typeof topic === 'string' &&
    typeof options === 'object' &&
    Object.isFrozen(options) &&
    Object.keys(pattern).length === 2
  );
}

/** JSON with sorted keys; undefined when the value has no such form. */
function canonical(value: unknown, depth: number): string | undefined {
  if (typeof value !== 'object' || value === null) {
    const isPlain =
      value === null || ['string', 'boolean'].includes(typeof value) || Number.isFinite(value);
    return isPlain ? JSON.stringify(value) : undefined;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (depth >= DEEPEST || !(Array.isArray(value) || prototype === Object.prototype || !prototype))
    return undefined;
  const parts: string[] = [];
  for (const [key, item] of Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))) {
    const text = canonical(item, depth + 1);
    if (text === undefined) return undefined;
    parts.push(Array.isArray(value) ? text : `${JSON.stringify(key)}:${text}`);
  }
  return Array.isArray(value) ? `[${parts.join(',')}]` : `{${parts.join(',')}}`;
}
