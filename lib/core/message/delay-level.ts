import { InvalidInputError } from './errors.js';
import { describeValue } from './options.js';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** RocketMQ's delay levels 1 to 18 (`messageDelayLevel`), in order. */
const LEVELS = {
  '1s': SECOND,
  '5s': 5 * SECOND,
  '10s': 10 * SECOND,
  '30s': 30 * SECOND,
  '1m': MINUTE,
  '2m': 2 * MINUTE,
  '3m': 3 * MINUTE,
  '4m': 4 * MINUTE,
  '5m': 5 * MINUTE,
  '6m': 6 * MINUTE,
  '7m': 7 * MINUTE,
  '8m': 8 * MINUTE,
  '9m': 9 * MINUTE,
  '10m': 10 * MINUTE,
  '20m': 20 * MINUTE,
  '30m': 30 * MINUTE,
  '1h': HOUR,
  '2h': 2 * HOUR,
} as const;

/** Name of one of RocketMQ's delay levels. */
export type DelayLevel = keyof typeof LEVELS;

/** The pauses of levels 1 to 18, in milliseconds. */
export const DELAY_LEVELS_MS: readonly number[] = Object.values(LEVELS);

/**
 * One of RocketMQ's delay levels, by its name or by its number from 1, in milliseconds: for `delayMs`, which takes any
 * other time as well.
 *
 * @throws InvalidInputError for any other level. RocketMQ takes a larger number for 18, and 0 or less for no delay.
 */
export function delayLevel(level: DelayLevel | number): number {
  const delayMs =
    typeof level === 'number'
      ? DELAY_LEVELS_MS[level - 1]
      : Object.hasOwn(LEVELS, level)
        ? LEVELS[level]
        : undefined;
  if (delayMs !== undefined) return delayMs;
  throw new InvalidInputError('delayLevel', [
    `must be a number from 1 to ${DELAY_LEVELS_MS.length} or one of ${Object.keys(LEVELS).join(', ')}, got: ${describeValue(level)}`,
  ]);
}
