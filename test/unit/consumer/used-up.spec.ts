import { whyUsedUp } from '../../../lib/core/consumer/history.js';

const failed = (...attempts: number[]): string =>
  JSON.stringify(
    attempts.map((attempt) => ({ attempt, at: 0, error: 'Error: no', consumer: 'c' })),
  );

it.each([
  ['crashed once', 2, '', 'its consumer crashed once, in every attempt'],
  ['crashed', 4, '', 'its consumer crashed 3 times, in every attempt'],
  [
    'failed where more was allowed',
    4,
    failed(1, 2, 3),
    'failed 3 times, and no more are allowed here; last error: Error: no',
  ],
  [
    'failed and crashed then',
    4,
    failed(1, 2),
    'its consumer crashed in attempt 3, and no more are allowed here; last error: Error: no',
  ],
  ['has the history of a stranger', 3, '[null]', 'its consumer crashed 2 times, in every attempt'],
  ['has no history', 3, '{', 'its consumer crashed 2 times, in every attempt'],
])('says why a message is given up that %s', (_, attempt, history, reason) => {
  expect(whyUsedUp({ attempt, history })).toBe(reason);
});
