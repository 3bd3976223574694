import { ByteBudget, bytesOf } from '../core/consumer/byte-budget.js';
import { compareOffsets, offsetInRun } from '../core/message/offset.js';
import type { MessageLog } from '../core/store/message-log.js';
import type { QueueRef, StoredEntry } from '../core/store/refs.js';

/** What is held in memory while a topic is read, over all its queues; of one queue one entry always. */
const MOST_HELD = { entries: 128, bytes: 8 * 1024 * 1024 };
const MOST_PER_READ = 64;

export interface ScanRange {
  /** Unix ms by the store's clock, inclusive. */
  fromMs: number;
  toMs: number;
}

export const EVERYTHING: ScanRange = { fromMs: 0, toMs: Number.MAX_SAFE_INTEGER };

/** The entries of some queues in the order they became visible. Reads a little at a time, however long the queues are. */
export async function* scan(
  log: MessageLog,
  refs: readonly QueueRef[],
  range: ScanRange,
): AsyncGenerator<StoredEntry> {
  const share = Math.min(MOST_PER_READ, Math.max(1, Math.floor(MOST_HELD.entries / refs.length)));
  const budget = new ByteBudget({ mostBytes: MOST_HELD.bytes, firstRead: 4 });
  const count = (): number =>
    Math.max(1, Math.min(share, budget.fitInto(MOST_HELD.bytes / refs.length)));
  const queues = refs.map((ref) => new QueueScan(log, { ref, range, budget, count }));
  await Promise.all(queues.map((queue) => queue.fill()));
  for (;;) {
    const oldest = queues
      .filter((queue) => queue.next)
      .reduce<QueueScan | undefined>(older, undefined);
    const entry = oldest?.take();
    if (!entry) return;
    yield entry;
    await oldest!.fill();
  }
}

function older(a: QueueScan | undefined, b: QueueScan): QueueScan {
  return a && compareOffsets(a.next!.offset, b.next!.offset) <= 0 ? a : b;
}

/** One queue of a scan: some entries read ahead. */
class QueueScan {
  private readonly log: MessageLog;
  private readonly ref: QueueRef;
  private readonly to: string;
  private readonly budget: ByteBudget;
  /** How many are read at a time. */
  private readonly count: () => number;
  private from: string;
  private held: StoredEntry[] = [];
  private ended = false;

  constructor(
    log: MessageLog,
    options: { ref: QueueRef; range: ScanRange; budget: ByteBudget; count(): number },
  ) {
    this.log = log;
    this.ref = options.ref;
    this.from = `${Math.max(0, options.range.fromMs)}-0`;
    this.to = `${options.range.toMs}-${LARGEST}`;
    this.budget = options.budget;
    this.count = () => options.count();
  }

  get next(): StoredEntry | undefined {
    return this.held[0];
  }

  take(): StoredEntry | undefined {
    return this.held.shift();
  }

  async fill(): Promise<void> {
    if (this.held.length > 0 || this.ended) return;
    const { ref, from, to } = this;
    const count = this.count();
    this.held = await this.log.range({ ...ref, from, to, count });
    this.budget.learn(this.held.map(bytesOf));
    const last = this.held.at(-1);
    const behind = last && this.held.length === count ? offsetBehind(last.offset) : undefined;
    if (behind === undefined) this.ended = true;
    else this.from = behind;
  }
}

const LARGEST = '18446744073709551615';

/** The next possible offset; undefined behind the last one, which only another program can have written. */
function offsetBehind(offset: string): string | undefined {
  const [ms, seq] = offset.split('-') as [string, string];
  if (seq !== LARGEST) return offsetInRun(offset, 1);
  return ms === LARGEST ? undefined : `${BigInt(ms) + 1n}-0`;
}
