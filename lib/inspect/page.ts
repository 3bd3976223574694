import { ByteBudget } from '../core/consumer/byte-budget.js';
import { describeValue, integerProblem } from '../core/message/options.js';
import type { Problem } from './input.js';

/** How large a page of a list may be. */
export interface PageSize {
  /** Most items of the page, 1 to 1 000. Default 100. */
  limit?: number | undefined;
  /** Most bytes of their messages: large ones make a page shorter, and one is always on it. Default 16 MiB. */
  maxBytes?: number | undefined;
}

const DEFAULT_PAGE = { limit: 100, maxBytes: 16 * 1024 * 1024 };
const LARGEST_PAGE = 1_000;

/** Read ahead for a page, at most. */
const READ = { items: 100, bytes: 4 * 1024 * 1024 };

/** Of `next` of the page before, as `after`. */
export function placeProblem(after: unknown, place: RegExp): Problem {
  if (after === undefined || (typeof after === 'string' && place.test(after))) return undefined;
  return `after must be \`next\` of the page before, got: ${describeValue(after)}`;
}

export function pageSizeProblems(size: PageSize): Problem[] {
  const { limit, maxBytes } = size;
  return [
    limit === undefined ? undefined : integerProblem('limit', limit, { min: 1, max: LARGEST_PAGE }),
    maxBytes === undefined ? undefined : integerProblem('maxBytes', maxBytes, { min: 1 }),
  ];
}

/** The first items that one page takes; `isLast`: there is nothing behind them. */
export async function firstPage<Item>(
  items: AsyncIterable<Item>,
  bytesOf: (item: Item) => number,
  { limit = DEFAULT_PAGE.limit, maxBytes = DEFAULT_PAGE.maxBytes }: PageSize,
): Promise<{ page: Item[]; isLast: boolean }> {
  const page: Item[] = [];
  let bytes = 0;
  for await (const item of items) {
    bytes += bytesOf(item);
    // One more than the page takes tells whether there is another.
    if (page.length === limit || (page.length > 0 && bytes > maxBytes))
      return { page, isLast: false };
    page.push(item);
  }
  return { page, isLast: true };
}

/**
 * Everything that a store lists in parts, from behind `after` on. `read` gives what comes behind an id, at most `count`;
 * as many are asked for as fit into memory if they are as large as those before.
 */
export async function* listed<Item extends { id: string }>(options: {
  read(part: { after?: string; count: number }): Promise<Item[]>;
  bytesOf(item: Item): number;
  after: string | undefined;
}): AsyncGenerator<Item> {
  const budget = new ByteBudget({ mostBytes: READ.bytes, firstRead: 1 });
  let { after } = options;
  for (let isLast = false; !isLast;) {
    const count = Math.min(READ.items, budget.room);
    const part = await options.read({ ...(after !== undefined && { after }), count });
    budget.learn(part.map((item) => options.bytesOf(item)));
    yield* part;
    isLast = part.length < count;
    after = part.at(-1)?.id;
  }
}
