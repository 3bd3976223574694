import { Cron } from 'croner';
import type { NextRun } from '../core/producer/recurrence.js';

/** Cron expressions with five fields, or six that begin with seconds, in any time zone, as croner reads them. */
export const nextRun: NextRun = ({ cron, timezone }, after) =>
  new Cron(cron, { timezone, mode: '5-or-6-parts' }).nextRun(new Date(after))?.getTime() ?? null;
