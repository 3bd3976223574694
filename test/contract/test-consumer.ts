import type {
  ClaimReply,
  DeliveredEntry,
  GroupQueue,
  GroupReader,
  Settlement,
  SettleReply,
} from '../../lib/core/store/delivery-store.js';
import type { QueueRef } from '../../lib/core/store/refs.js';
import type { Stores } from '../../lib/core/store/stores.js';

const never = new AbortController().signal;

/** One consumer of one queue, in the fewest words. */
export class TestConsumer {
  private readonly stores: Stores;
  readonly ref: GroupQueue;
  readonly name: string;
  readonly reader: GroupReader;

  constructor(stores: Stores, ref: GroupQueue, name: string) {
    this.stores = stores;
    this.ref = ref;
    this.name = name;
    this.reader = stores.deliveries.openReader(ref.group, name);
  }

  read(
    options: {
      perQueue?: number;
      blockMs?: number;
      signal?: AbortSignal;
      queues?: readonly QueueRef[];
    } = {},
  ): Promise<DeliveredEntry[]> {
    const { topic, queue } = this.ref;
    return this.reader.read({
      queues: options.queues ?? [{ topic, queue }],
      perQueue: options.perQueue ?? 100,
      blockMs: options.blockMs ?? 0,
      signal: options.signal ?? never,
    });
  }

  async readOne(): Promise<DeliveredEntry> {
    return only(await this.read({ perQueue: 1 }));
  }

  claim(options: { limit?: number; suspect?: boolean } = {}): Promise<ClaimReply> {
    const { limit = 100, suspect = false } = options;
    return this.stores.deliveries.claimDue(this.ref, { consumer: this.name, limit, suspect });
  }

  async claimOne(options: { suspect?: boolean } = {}): Promise<DeliveredEntry> {
    return only((await this.claim(options)).entries);
  }

  settle(entries: readonly DeliveredEntry[], settlement: Settlement): Promise<SettleReply[]> {
    const items = entries.map(({ offset, deliveryCount }) => ({
      offset,
      deliveryCount,
      settlement,
    }));
    return this.stores.deliveries.settle(this.ref, this.name, items);
  }

  ack(...entries: DeliveredEntry[]): Promise<SettleReply[]> {
    return this.settle(entries, { kind: 'ack' });
  }

  retry(entry: DeliveredEntry, delayMs: number, history = ''): Promise<SettleReply[]> {
    return this.settle([entry], { kind: 'retry', delayMs, history });
  }

  release(...entries: DeliveredEntry[]): Promise<SettleReply[]> {
    return this.settle(entries, { kind: 'release', delayMs: 0 });
  }

  releaseFor(entry: DeliveredEntry, delayMs: number): Promise<SettleReply[]> {
    return this.settle([entry], { kind: 'release', delayMs });
  }

  deadLetter(entry: DeliveredEntry, note = 'because'): Promise<SettleReply[]> {
    return this.settle([entry], { kind: 'dead-letter', note });
  }

  renew(
    inHand: readonly DeliveredEntry[],
    swallowedAfterMs = 3_600_000,
  ): Promise<{ lost: string[]; released: number }> {
    return this.stores.deliveries.renew(this.ref, {
      consumer: this.name,
      inHand,
      swallowedAfterMs,
    });
  }

  close(): Promise<void> {
    return this.reader.close();
  }
}

function only<T>(found: readonly T[]): T {
  if (found.length !== 1) throw new Error(`expected exactly one delivery, got ${found.length}`);
  return found[0]!;
}
