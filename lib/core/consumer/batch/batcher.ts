import { isInstance } from '../../message/any-copy.js';
import type { Clock } from '../../runtime/clock.js';
import type { TraceScope } from '../../runtime/trace.js';
import type { Delivery, Handler } from '../subscription.js';
import { isGenerator, runToEnd } from '../generator.js';
import { BatchResult } from './batch-result.js';

/** Returns: all are acked, except those a `BatchResult` names. Throws: all are tried again by the retry policy. */
export type BatchHandler = (deliveries: readonly Delivery[]) => unknown;

export interface BatcherOptions {
  handler: BatchHandler;
  size: number;
  withinMs: number;
  /** Batches at the same time. */
  concurrency: number;
  clock: Clock;
  trace: Pick<TraceScope, 'handlingBatch'>;
}

interface Waiting {
  readonly delivery: Delivery;
  /** By the monotonic clock. */
  readonly since: number;
  resolve(): void;
  reject(error: unknown): void;
}

/**
 * Collects deliveries until there are enough of them, or the first has waited long enough.
 *
 * Each stays a delivery of its own: with its own slot, attempt, retry and settle. So a batch is nothing that could be
 * lost, and the messages of one that failed may come back in different company.
 */
export class Batcher {
  private readonly options: BatcherOptions;
  private readonly waiting: Waiting[] = [];
  private running = 0;
  private cancelTimer: (() => void) | undefined;

  constructor(options: BatcherOptions) {
    this.options = options;
  }

  /** Handles one delivery, together with others. */
  readonly handler: Handler = (delivery) =>
    new Promise<void>((resolve, reject) => {
      const since = this.options.clock.monotonic();
      this.waiting.push({ delivery, since, resolve, reject });
      this.startReady();
    });

  private startReady(): void {
    const { size, concurrency } = this.options;
    this.cancelTimer?.();
    this.cancelTimer = undefined;
    while (this.running < concurrency && this.waiting.length > 0) {
      const leftMs = this.waiting.length >= size ? 0 : this.leftMs();
      if (leftMs > 0) {
        this.cancelTimer = this.options.clock.after(leftMs, () => this.startReady());
        return;
      }
      const batch = this.take();
      if (batch.length > 0) void this.run(batch);
    }
  }

  /** The next batch. What was given to others, or ran out of time, while it waited is none of ours any more. */
  private take(): Waiting[] {
    const batch: Waiting[] = [];
    while (batch.length < this.options.size && this.waiting.length > 0) {
      const next = this.waiting.shift()!;
      if (next.delivery.isAborted) next.reject(next.delivery.signal.reason);
      else batch.push(next);
    }
    return batch;
  }

  private leftMs(): number {
    const { clock, withinMs } = this.options;
    return this.waiting[0]!.since + withinMs - clock.monotonic();
  }

  private async run(batch: readonly Waiting[]): Promise<void> {
    this.running += 1;
    try {
      const deliveries = batch.map(({ delivery }) => delivery);
      const result = await this.options.trace.handlingBatch(deliveries, async () => {
        const made = await this.options.handler(deliveries);
        return isGenerator(made) ? runToEnd(made, () => givenUp(deliveries)) : made;
      });
      const failures = isInstance(result, BatchResult) ? result.failures : undefined;
      // Something failed, and nobody knows what: acking all of them would lose it.
      for (const place of failures?.keys() ?? [])
        if (place >= batch.length)
          throw new RangeError(
            `BatchResult.fail was told place ${place} of a batch of ${batch.length} messages: places begin at 0`,
          );
      batch.forEach(({ resolve, reject }, i) => {
        if (failures?.has(i)) reject(failures.get(i));
        else resolve();
      });
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
    this.running -= 1;
    this.startReady();
  }
}

/** @throws why, once nobody wants any message of the batch to be handled any more. */
function givenUp(deliveries: readonly Delivery[]): void {
  if (deliveries.every(({ isAborted }) => isAborted)) deliveries[0]!.signal.throwIfAborted();
}
