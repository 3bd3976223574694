import { howManyFit } from '../../../lib/core/runtime/how-many-fit.js';

it.each([
  [[], 0],
  [[10], 1],
  [[11], 1],
  [[11, 1], 1],
  [[5, 5, 1], 2],
  [[5, 6, 1], 1],
  [[1, 2, 3], 3],
])('of %j, so many fit into 10 bytes: %i', (sizes, count) => {
  expect(howManyFit(sizes, 10)).toBe(count);
});
