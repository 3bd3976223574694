import { ownWord } from './foreign-words.js';

/**
 * Problems with the names of options: one sentence for each option nobody knows, with the one that was probably meant. The last
 * of those that can be none of them says which there are.
 * An unknown option is refused, since a misspelt `concurency` that is ignored costs more than a failed start.
 */
export function unknownOptions(given: unknown, known: readonly string[]): string[] {
  if (!isOptions(given)) return [notOptions('options', given)];
  const unknown = Object.keys(given)
    .filter((name) => !known.includes(name))
    .map((name) => ({ name, meant: ownWord(name, known) ?? nearestName(name, known) }));
  const last = unknown.findLast(({ meant }) => meant === undefined)?.name;
  return unknown.map(({ name, meant }) => {
    const end = meant !== undefined || name === last ? suggestion(name, known, meant) : '';
    return `unknown option "${name}"${end}`;
  });
}

/** Whether names can be looked up in it. A text has names, too: one for each letter. */
export function isOptions(given: unknown): given is object {
  return typeof given === 'object' && given !== null && !Array.isArray(given);
}

/** Whether the options are `{}`: asked without making a list of their names. */
export function saysNothing(options: object): boolean {
  for (const _ in options) return false;
  return true;
}

/** Options that are undefined count as not given. */
export function given<T extends object>(options: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}

/** Says what is there instead. Of a text only that it is one: a URL in the place of options holds a password. */
export function notOptions(name: string, given: unknown): string {
  return `${name} must be an object, got: ${typeof given === 'string' ? 'a text' : describeValue(given)}`;
}

/** The end of a sentence about a name nobody knows: the one that was meant, by default the nearest known one, or all of them. */
export function suggestion(
  name: string,
  known: readonly string[],
  meant: string | undefined = nearestName(name, known),
): string {
  if (meant !== undefined) return `, did you mean "${meant}"?`;
  return ` (known: ${known.length > 0 ? known.join(', ') : 'none'})`;
}

/** The one that is written almost so, if there is such a one. What only begins alike is another word. */
export function misspeltName(name: string, known: readonly string[]): string | undefined {
  const most = Math.min(2, name.length - 1);
  return byDistance(name, known).find(({ distance }) => distance <= most)?.candidate;
}

/** The one that was probably meant, if there is such a one. */
export function nearestName(name: string, known: readonly string[]): string | undefined {
  const ranked = byDistance(name, known);
  const best = ranked[0];
  // With as many changes as letters, any word is near: "tz" is no "tag".
  const near = Math.min(Math.max(2, Math.floor(name.length / 3)), name.length - 1);
  if (best && best.distance <= near) return best.candidate;
  // Far off by letters, and still the same word: "retries" for "retry".
  return ranked.find(({ candidate }) => commonStart(name, candidate) >= SAME_WORD)?.candidate;
}

const SAME_WORD = 4;

function byDistance(name: string, known: readonly string[]) {
  return (
    known
      .map((candidate) => ({
        candidate,
        distance: editDistance(name.toLowerCase(), candidate.toLowerCase()),
        start: commonStart(name, candidate),
      }))
      // "ttl" is as far from "tag", by letters, as from "ttlMs".
      .sort((a, b) => a.distance - b.distance || b.start - a.start)
  );
}

function commonStart(a: string, b: string): number {
  let length = 0;
  while (length < a.length && a[length] === b[length]) length += 1;
  return length;
}

function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      current.push(Math.min(previous[j]! + 1, current[j - 1]! + 1, replaced));
    }
    previous = current;
  }
  return previous[b.length]!;
}

/** Problem with a whole number that must lie in a range, or undefined. */
export function integerProblem(
  name: string,
  value: unknown,
  range: { min: number; max?: number },
): string | undefined {
  const { min, max = Number.MAX_SAFE_INTEGER } = range;
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= min && value <= max)
    return undefined;
  const wanted = max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`;
  if (value === undefined) return `${name} must be an integer ${wanted}, and is missing`;
  const got = describeValue(value);
  return `${name} must be an integer ${wanted}, got: ${got}${name.endsWith('Ms') ? inMs(value) : ''}`;
}

const UNITS_MS: Record<string, number> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** What a text such as "5m" would be. Empty for what is no time. */
export function inMs(value: unknown): string {
  // Not String(): what has no prototype cannot be made a text.
  if (typeof value !== 'string') return '';
  const [, count, unit = ''] = /^(\d+(?:\.\d+)?) ?(ms|s|m|min|h|d)$/.exec(value) ?? [];
  return count === undefined ? '' : `, which is ${Number(count) * UNITS_MS[unit]!} in milliseconds`;
}

/** A value as an error may show it: short, and never the content of an object. */
export function describeValue(value: unknown): string {
  if (typeof value === 'string')
    return JSON.stringify(value.length > 60 ? `${value.slice(0, 57)}...` : value);
  if (
    typeof value === 'number' ||
    typeof value === 'boolean' ||
    value === null ||
    value === undefined
  )
    return String(value);
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'function') return 'a function';
  if (typeof value === 'symbol') return 'a symbol';
  if (Array.isArray(value)) return 'an array';
  return value instanceof Date ? 'a Date' : 'an object';
}
