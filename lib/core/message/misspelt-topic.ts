/**
 * Whether the name of one topic may be that of another, misspelt: a letter too many, too few or another one, two that changed
 * places; or only case, dots and dashes differ. Numbers and short words are what tells topics apart: `order.1`, `orders-eu`.
 */
export function mayBeMisspelt(name: string, other: string): boolean {
  const [some, others] = [wordsOf(name), wordsOf(other)];
  if (some.join('') === others.join(''))
    return name !== other && numbersOf(name) === numbersOf(other);
  if (some.length !== others.length) return false;
  const different = some.flatMap((word, at) => (word === others[at] ? [] : [[word, others[at]!]]));
  const [[word, otherWord] = []] = different;
  return different.length === 1 && isSlip(word!, otherWord!);
}

const SHORTEST_WORD = 4;

function wordsOf(name: string): string[] {
  return name.toLowerCase().split(/[._-]+/);
}

function numbersOf(name: string): string {
  return (name.match(/\d+/g) ?? []).join();
}

function isSlip(a: string, b: string): boolean {
  const shorter = Math.min(a.length, b.length);
  if (shorter < SHORTEST_WORD) return false;
  let start = 0;
  while (start < shorter && a[start] === b[start]) start += 1;
  let end = 0;
  while (end < shorter - start && a.at(-1 - end) === b.at(-1 - end)) end += 1;
  const [mine, its] = [a.slice(start, a.length - end), b.slice(start, b.length - end)];
  if (/\d/.test(mine + its)) return false;
  const areSwapped = mine.length === 2 && mine === `${its[1]}${its[0]}`;
  return areSwapped || (mine.length <= 1 && its.length <= 1);
}
