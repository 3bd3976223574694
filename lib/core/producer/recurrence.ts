import { InvalidOptionsError } from '../message/errors.js';
import { describeValue, integerProblem } from '../message/options.js';
import { withoutPeriod } from '../message/sentence.js';

const SHORTEST_MS = 1_000;
const LONGEST_MS = 366 * 86_400_000;

/** At times of a calendar. */
export interface CalendarRecurrence {
  /** Five fields (minute, hour, day of month, month, day of week), or six that begin with seconds. */
  cron: string;
  /** Name of a time zone (IANA). Default `UTC`. */
  timezone: string;
  everyMs?: undefined;
}

/** At a fixed period. */
export interface PeriodicRecurrence {
  /**
   * At least 1 000, at most 366 days (31 622 400 000). Its times are the multiples of it since 1970 (UTC), so that all processes
   * mean the same ones: the first comes within one period.
   */
  everyMs: number;
  cron?: undefined;
  timezone?: undefined;
}

/** When a recurring send comes. */
export type Recurrence = CalendarRecurrence | PeriodicRecurrence;

/** As it is asked for. */
export type GivenRecurrence =
  (Omit<CalendarRecurrence, 'timezone'> & { timezone?: string | undefined }) | PeriodicRecurrence;

/** The first time behind `after` (Unix ms), null when there is none. Throws what is no expression or time zone. */
export type NextRun = (recurrence: CalendarRecurrence, after: number) => number | null;

/** Everything that is wrong with it. */
export function recurrenceProblems(given: GivenRecurrence): (string | undefined)[] {
  const { cron, timezone, everyMs } = given;
  if (everyMs !== undefined)
    return [
      integerProblem('everyMs', everyMs, { min: SHORTEST_MS, max: LONGEST_MS }),
      cron === undefined ? undefined : 'cron and everyMs contradict each other; give one',
      timezone === undefined ? undefined : 'timezone says nothing about everyMs; give it with cron',
    ];
  return [
    typeof cron === 'string'
      ? undefined
      : `cron must be text (or give everyMs), got: ${describeValue(cron)}`,
    timezone === undefined || typeof timezone === 'string'
      ? undefined
      : `timezone must be text, got: ${describeValue(timezone)}`,
  ];
}

export function recurrenceOf({ cron, timezone = 'UTC', everyMs }: GivenRecurrence): Recurrence {
  return everyMs === undefined ? { cron, timezone } : { everyMs };
}

/** What was kept of one; undefined when it is none. */
export function keptRecurrence(kept: object): Recurrence | undefined {
  const { cron, timezone, everyMs } = kept as Partial<Record<keyof Recurrence, unknown>>;
  if (typeof everyMs === 'number' && everyMs >= SHORTEST_MS) return { everyMs };
  return typeof cron === 'string' && typeof timezone === 'string' ? { cron, timezone } : undefined;
}

/**
 * The first time behind `after`, null when there is none.
 *
 * @throws InvalidOptionsError when nothing reads cron expressions, and what `nextRun` throws.
 */
export function nextTime(
  recurrence: Recurrence,
  after: number,
  nextRun: NextRun | undefined,
): number | null {
  const { everyMs } = recurrence;
  if (everyMs !== undefined) return (Math.floor(after / everyMs) + 1) * everyMs;
  if (!nextRun)
    throw new InvalidOptionsError('Recurring sends', [
      'nothing here reads cron expressions; give the option nextRun',
    ]);
  return nextRun(recurrence, after);
}

/** The first time of a new one, or why it has none. */
export function firstTime(
  recurrence: Recurrence,
  now: number,
  nextRun: NextRun | undefined,
): number | { problem: string } {
  const { cron, timezone } = recurrence;
  try {
    return (
      nextTime(recurrence, now, nextRun) ?? {
        problem: `cron ${describeValue(cron)} has no time to come`,
      }
    );
  } catch (error) {
    if (error instanceof InvalidOptionsError) throw error;
    const why = withoutPeriod((error as Error).message);
    return { problem: `cron ${describeValue(cron)} in ${timezone}: ${why}` };
  }
}
