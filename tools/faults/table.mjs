/** Figures that have a column of their own; the others are named in the last one. */
const COLUMNS = [
  ['sent', 'sent'],
  ['confirmed', 'confirmed'],
  ['failed', 'failed'],
  ['unknown', 'unknown'],
  ['hung', 'hung'],
  ['lost', 'LOST'],
  ['stuck', 'STUCK'],
  ['ghosts', 'GHOSTS'],
  ['phantoms', 'PHANTOMS'],
  ['doubled', 'DOUBLED'],
  ['reordered', 'REORDERED'],
  ['overtook', 'OVERTOOK'],
  ['again', 'again'],
  ['sendsBackMs', 'sends back ms'],
  ['handlingBackMs', 'handled ms'],
];

/** One line for each row, and below it one for each run that told figures. */
export function table(rows) {
  const head = ['row', 'fault', 'tests', ...COLUMNS.map(([, title]) => title)];
  const lines = [head, ...rows.flatMap(linesOf)];
  const widths = head.map((_, i) => Math.max(...lines.map((line) => (line[i] ?? '').length)));
  return lines
    .map((line) =>
      line
        .map((cell, i) => aligned(cell, widths[i] ?? 0, i))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

function linesOf({ id, fault, passed, failed, runs }) {
  const tests = failed > 0 ? `${failed} FAILED` : passed > 0 ? `${passed} passed` : 'NOT RUN';
  return [
    [id, fault, tests],
    ...runs.map(({ name, figures }) => {
      const cells = COLUMNS.map(([figure]) => String(figures[figure] ?? '-'));
      const named = new Set(COLUMNS.map(([figure]) => figure));
      const others = Object.entries(figures).filter(([figure]) => !named.has(figure));
      return [
        '',
        `  ${name}`,
        '',
        ...cells,
        others.map(([what, value]) => `${what}=${value}`).join(' '),
      ];
    }),
  ];
}

/** Text to the left, numbers to the right; the last column, of any length, as it is. */
function aligned(cell, width, i) {
  if (i < 3) return cell.padEnd(width);
  return i < COLUMNS.length + 3 ? cell.padStart(width) : cell;
}
