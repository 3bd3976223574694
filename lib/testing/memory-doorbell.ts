import { ClosedError } from '../core/message/errors.js';
import type { Doorbell } from '../core/store/queue-lease-store.js';
import { firstOf, type MemoryGate, onAbort } from './memory-gate.js';
import type { MemoryState } from './memory-state.js';

export class MemoryDoorbell implements Doorbell {
  private readonly state: MemoryState;
  private readonly gate: MemoryGate;
  private readonly topic: string;
  private readonly closing = new AbortController();

  constructor(options: { state: MemoryState; gate: MemoryGate; topic: string }) {
    this.state = options.state;
    this.gate = options.gate;
    this.topic = options.topic;
  }

  async wait(request: {
    queues: readonly { queue: number; after: string }[];
    blockMs: number;
    signal: AbortSignal;
  }): Promise<number[]> {
    const { clock } = this.gate;
    const until = clock.monotonic() + request.blockMs;
    if (this.closing.signal.aborted)
      throw new ClosedError(`The doorbell of ${this.topic} is closed. Open another.`);
    for (;;) {
      this.gate.enter();
      const ringing = request.queues.filter(({ queue, after }) => {
        const log = this.state.queue({ topic: this.topic, queue })?.log;
        return log?.after(after).next().done === false;
      });
      const leftMs = until - clock.monotonic();
      if (ringing.length > 0 || leftMs <= 0 || request.signal.aborted)
        return this.gate.answer(ringing.map(({ queue }) => queue));
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
}
