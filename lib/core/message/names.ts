import { describeValue } from './options.js';

/**
 * What may be a name. Names become parts of Redis keys and arguments of commands, so they are an allow list:
 * nothing that could break a hash tag, a pattern or a log line, and no word that Redis reads as an option.
 */
const TOPIC = /^[A-Za-z0-9_%.-]{1,127}$/;
const GROUP = /^[A-Za-z0-9_%.:/@-]{1,120}$/;
const NAMESPACE = /^[A-Za-z0-9_.-]{1,64}$/;
const PROPERTY = /^[A-Za-z_$][A-Za-z0-9_$.-]{0,127}$/;
/** A consumer or group of this name would be read as an option of XREADGROUP (redis/redis#15478). */
const REDIS_WORDS = new Set([
  'STREAMS',
  'BLOCK',
  'COUNT',
  'GROUP',
  'NOACK',
  'CLAIM',
  'MAXCOUNT',
  'MAXSIZE',
]);
/** UTF-8 has no place for one: two different message groups would become the same. */
const LONE_SURROGATE = /\p{Surrogate}/u;
const PROTOTYPE_WORDS = new Set(['__proto__', 'constructor', 'prototype']);

/** Longest tag, in characters; longest key, message group and dedup id likewise. */
const LONGEST = {
  tag: 127,
  key: 255,
  messageGroup: 255,
  dedupId: 255,
  dedupKey: 255,
  'concurrencyPer.key': 255,
} as const;

export function topicProblem(topic: unknown): string | undefined {
  if (typeof topic === 'string' && TOPIC.test(topic) && !PROTOTYPE_WORDS.has(topic))
    return undefined;
  return `topic must be 1 to 127 characters of A-Z a-z 0-9 _ % . -, got: ${describeValue(topic)}`;
}

export function groupProblem(group: unknown, field = 'group'): string | undefined {
  if (typeof group !== 'string' || !GROUP.test(group) || PROTOTYPE_WORDS.has(group))
    return `${field} must be 1 to 120 characters of A-Z a-z 0-9 _ % . : / @ -, got: ${describeValue(group)}`;
  return REDIS_WORDS.has(group.toUpperCase())
    ? `${field} must not be the Redis word "${group}"`
    : undefined;
}

export function namespaceProblem(namespace: unknown): string | undefined {
  if (typeof namespace === 'string' && NAMESPACE.test(namespace)) return undefined;
  return `namespace must be 1 to 64 characters of A-Z a-z 0-9 _ . -, got: ${describeValue(namespace)}`;
}

/** Tag, key, message group, dedup id and dedup key: any printable text within its length. */
export function textProblem(field: keyof typeof LONGEST, value: unknown): string | undefined {
  const longest = LONGEST[field];
  if (
    typeof value !== 'string' ||
    value.length === 0 ||
    value.length > longest ||
    hasControl(value)
  )
    return `${field} must be text of 1 to ${longest} characters without control characters, got: ${describeValue(value)}`;
  if (LONE_SURROGATE.test(value))
    return `${field} must not contain half a character (a lone surrogate), got: ${describeValue(value)}`;
  if (field === 'tag' && (value.includes('|') || value === '*' || value.trim() !== value))
    return `tag must not contain "|", be "*" or have spaces around it (they mean something in a tag expression), got: ${describeValue(value)}`;
  return undefined;
}

export function propertyNameProblem(name: string): string | undefined {
  if (PROPERTY.test(name) && !PROTOTYPE_WORDS.has(name)) return undefined;
  return `property names must begin with a letter, _ or $ and continue with letters, digits, _ $ . or - (128 characters at most), got: ${describeValue(name)}`;
}

function hasControl(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 0x20 || code === 0x7f) return true;
  }
  return false;
}
