export interface Step {
  at: string;
  what: string;
  topic: string;
  group: string;
  detail: string;
}

const WIDTHS = [12, 10, 13, 12, 7] as const;

export function formatStep(order: string, { at, what, topic, group, detail }: Step): string {
  return row([at.slice(11, 23), order, what, topic, group], detail);
}

export const HEADING = row(['time', 'order', 'what', 'topic', 'group'], 'detail');

function row(cells: string[], last: string): string {
  return [...cells.map((cell, i) => cell.padEnd(WIDTHS[i]!)), last].join('  ').trimEnd();
}
