import { median } from './statistics.mjs';

/** A row of the report: the ratio of each round, and what the sides answered. */
export function resultOf(row, answers) {
  const [own, other] = row.sides.map((side) => answers[side].map(row.value));
  const ratios = own.map((value, round) => (other ? value / other[round] : value));
  const middle = median(ratios);
  return {
    name: row.name,
    rounds: ratios,
    median: middle,
    bar: row.bar.text,
    holds: row.bar.holds(middle),
    figures: row.sides.map((side) => `${side} ${row.show(typical(answers[side], row.value))}`),
  };
}

export function table(results) {
  const head = ['name', 'median', 'spread', 'bar', '', 'absolute (middle round of each side)'];
  const lines = results.map(({ name, rounds, median: middle, bar, holds, figures }) => [
    name,
    number(middle),
    `${number(Math.min(...rounds))} – ${number(Math.max(...rounds))}`,
    bar,
    holds ? 'ok' : 'below',
    figures.join(' · '),
  ]);
  const all = [head, ...lines];
  const widths = head.map((_, column) => Math.max(...all.map((line) => line[column].length)));
  const format = (line) =>
    line
      .map((cell, i) => cell.padEnd(widths[i]))
      .join('  ')
      .trimEnd();
  return [
    format(head),
    widths.map((width) => '-'.repeat(width)).join('  '),
    ...lines.map(format),
  ].join('\n');
}

export function json(scale, results) {
  const ratios = results.map(({ name, median: middle, rounds }) => [
    name,
    { median: middle, rounds },
  ]);
  return JSON.stringify({ scale, ratios: Object.fromEntries(ratios) }, null, 2) + '\n';
}

/** The answer of the round in the middle. */
const typical = (answers, value) =>
  answers.toSorted((a, b) => value(a) - value(b))[Math.floor(answers.length / 2)];

const number = (value) => (value >= 0.1 ? value.toFixed(2) : value.toFixed(4));
