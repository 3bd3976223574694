/** A pattern of LIKE taken apart: what stands between its `%`, each a row of characters, null for `_`. */
type Run = readonly (string | null)[];

/** A pattern that cannot be read: what is wrong, and how many characters into it. */
export class LikeProblem extends Error {
  readonly at: number;

  constructor(problem: string, at: number) {
    super(problem);
    this.at = at;
  }
}

/**
 * SQL's LIKE: `%` is any text, `_` one character (a code point), everything else itself; a wildcard behind the escape
 * character is itself, too.
 *
 * Takes time in proportion to the text, times one for every thirty characters between two `%`, however the pattern is
 * made: no regular expression, and no way back.
 *
 * @throws LikeProblem
 */
export function compileLike(pattern: string, escape?: string): (text: string) => boolean {
  const runs = split(pattern, escape);
  const first = runs[0]!;
  if (runs.length === 1) {
    const equals = matcher(first);
    return (text) => {
      const characters = Array.from(text);
      return characters.length === first.length && equals(characters, 0);
    };
  }
  const last = runs.at(-1)!;
  const beginsWith = matcher(first);
  const endsWith = matcher(last);
  const finders = runs.slice(1, -1).map(finder);
  return (text) => {
    const characters = Array.from(text);
    const end = characters.length - last.length;
    if (end < first.length || !beginsWith(characters, 0) || !endsWith(characters, end))
      return false;
    let at = first.length;
    for (const find of finders) {
      at = find(characters, at, end);
      if (at === -1) return false;
    }
    return true;
  };
}

function split(pattern: string, escape: string | undefined): Run[] {
  const runs: (string | null)[][] = [[]];
  const characters = Array.from(pattern);
  for (let i = 0; i < characters.length; i++) {
    const character = characters[i]!;
    const run = runs.at(-1)!;
    if (character === escape) {
      const escaped = characters[++i];
      if (escaped !== '%' && escaped !== '_' && escaped !== escape)
        throw new LikeProblem(
          `the escape character ${escape} must be followed by %, _ or itself`,
          i - 1,
        );
      run.push(escaped);
    } else if (character === '%') runs.push([]);
    else run.push(character === '_' ? null : character);
  }
  return runs;
}

function matcher(run: Run): (characters: readonly string[], at: number) => boolean {
  return (characters, at) =>
    run.every((wanted, i) => wanted === null || wanted === characters[at + i]);
}

const WORD = 30;

/**
 * Finds the first place of a run: answers the place behind it, -1 when there is none before `end`.
 *
 * Shift-and (Baeza-Yates and Gonnet): bit i says that the last i + 1 characters fit the first i + 1 of the run.
 */
function finder(run: Run): (characters: readonly string[], at: number, end: number) => number {
  if (run.length === 0) return (_, at) => at;
  const words = Math.ceil(run.length / WORD);
  const anyCharacter = new Int32Array(words);
  run.forEach((wanted, i) => {
    if (wanted === null) anyCharacter[Math.floor(i / WORD)]! |= 1 << (i % WORD);
  });
  const places = new Map<string, Int32Array>();
  run.forEach((wanted, i) => {
    if (wanted === null) return;
    const mask = places.get(wanted) ?? Int32Array.from(anyCharacter);
    mask[Math.floor(i / WORD)]! |= 1 << (i % WORD);
    places.set(wanted, mask);
  });
  const done = 1 << ((run.length - 1) % WORD);
  return (characters, from, end) => {
    const fitting = new Int32Array(words);
    for (let at = from; at < end; at++) {
      const mask = places.get(characters[at]!) ?? anyCharacter;
      let carry = 1;
      for (let word = 0; word < words; word++) {
        const shifted = (fitting[word]! << 1) | carry;
        carry = (shifted >> WORD) & 1;
        fitting[word] = shifted & mask[word]!;
      }
      if (fitting[words - 1]! & done) return at + 1;
    }
    return -1;
  };
}
