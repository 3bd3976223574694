import { integerProblem } from '../core/message/options.js';
import type { Problem } from './input.js';

/** How large a page of a list may be, unless whoever asks for it says otherwise. */
export const DEFAULT_PAGE = { limit: 100, maxBytes: 16 * 1024 * 1024 };
const LARGEST_PAGE = 1_000;

/** Bytes of what is read ahead for a page. */
export const READ_BYTES = 4 * 1024 * 1024;

export function pageSizeProblems(size: { limit?: number; maxBytes?: number }): Problem[] {
  const { limit, maxBytes } = size;
  return [
    limit === undefined ? undefined : integerProblem('limit', limit, { min: 1, max: LARGEST_PAGE }),
    maxBytes === undefined ? undefined : integerProblem('maxBytes', maxBytes, { min: 1 }),
  ];
}
