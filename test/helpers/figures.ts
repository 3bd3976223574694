import { appendFileSync } from 'node:fs';
import type { Verdict } from './judge.js';

type Figure = number | string | boolean | null;

/**
 * Prints what a run measured, on one line. `npm run test:faults` collects the lines of all runs for its table, by the
 * name (`tools/faults/matrix.mjs`).
 */
export function tellFigures(name: string, figures: Record<string, Figure>): void {
  const text = Object.entries(figures).map(([what, value]) => `${what}=${value}`);
  console.log(`${name} ${text.join(' ')}`);
  const file = process.env['RIVULET_FIGURES'];
  if (file) appendFileSync(file, `${JSON.stringify({ name, figures })}\n`);
}

/** A verdict as figures: lists count. */
export function figuresOf(verdict: Verdict): Record<string, Figure> {
  return Object.fromEntries(
    Object.entries(verdict).map(([what, value]) => [
      what,
      Array.isArray(value) ? value.length : (value as Figure),
    ]),
  );
}

/** What must hold whatever was broken: nothing lost, stuck, invented, doubled or out of order, and every send answered. */
export const FLAWLESS = {
  ...{ hung: [], lost: [], stuck: [], ghosts: [], phantoms: [], doubled: [] },
  ...{ reordered: [], overtook: [] },
};
