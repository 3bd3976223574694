import { ClosedError } from '../core/message/errors.js';
import type { DeliveredEntry, GroupReader } from '../core/store/delivery-store.js';
import type { QueueRef } from '../core/store/refs.js';
import { firstOf, type MemoryGate, onAbort } from './memory-gate.js';
import type { MemoryState } from './memory-state.js';

interface ReadRequest {
  queues: readonly QueueRef[];
  perQueue: number;
  blockMs: number;
  signal: AbortSignal;
}

export class MemoryGroupReader implements GroupReader {
  private readonly state: MemoryState;
  private readonly gate: MemoryGate;
  private readonly group: string;
  private readonly consumer: string;
  private readonly closing = new AbortController();

  constructor(options: { state: MemoryState; gate: MemoryGate; group: string; consumer: string }) {
    this.state = options.state;
    this.gate = options.gate;
    this.group = options.group;
    this.consumer = options.consumer;
  }

  async read(request: ReadRequest): Promise<DeliveredEntry[]> {
    const { clock } = this.gate;
    const until = clock.monotonic() + request.blockMs;
    if (this.closing.signal.aborted)
      throw new ClosedError(
        `The reader of group "${this.group}" is closed; nothing was read. Open another.`,
      );
    for (;;) {
      this.gate.enter();
      const entries = this.take(request);
      const leftMs = until - clock.monotonic();
      if (entries.length > 0 || leftMs <= 0 || request.signal.aborted)
        return this.gate.answer(entries);
      await firstOf([
        (wake) => this.state.onChange(wake),
        (wake) => this.gate.onInterrupt(wake),
        (wake) => clock.after(leftMs, wake),
        onAbort(request.signal),
        onAbort(this.closing.signal),
      ]);
      if (this.closing.signal.aborted) return [];
    }
  }

  close(): Promise<void> {
    this.closing.abort();
    return Promise.resolve();
  }

  private take({ queues, perQueue }: ReadRequest): DeliveredEntry[] {
    const now = this.gate.clock.now();
    // All groups are looked up before any entry is handed out: one faulted queue fails the read as a whole.
    const groups = queues.map((ref) => this.state.groupOrFault({ ...ref, group: this.group }));
    return groups.flatMap((group) => group.readNew(this.consumer, perQueue, now));
  }
}
