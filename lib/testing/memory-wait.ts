import { ClosedError } from '../core/message/errors.js';
import { firstOf, type MemoryGate, onAbort } from './memory-gate.js';
import type { MemoryState } from './memory-state.js';

/** What the blocking readers of the memory stores share: they look, wait for a change, and look again. */
export class MemoryWait {
  private readonly state: MemoryState;
  private readonly gate: MemoryGate;
  /** Of whoever waits, for the error: `The reader of group "billing"`. */
  private readonly who: string;
  private readonly closing = new AbortController();

  constructor(options: { state: MemoryState; gate: MemoryGate; who: string }) {
    this.state = options.state;
    this.gate = options.gate;
    this.who = options.who;
  }

  /** What `look` finds, as soon as it finds anything; nothing after `blockMs`, when aborted, or when closed meanwhile. */
  async until<T>(
    look: () => T[],
    { blockMs, signal }: { blockMs: number; signal: AbortSignal },
  ): Promise<T[]> {
    const { clock } = this.gate;
    const until = clock.monotonic() + blockMs;
    if (this.closing.signal.aborted)
      throw new ClosedError(`${this.who} is closed; nothing was read. Open another.`);
    for (;;) {
      this.gate.enter();
      const found = look();
      const leftMs = until - clock.monotonic();
      if (found.length > 0 || leftMs <= 0 || signal.aborted) return this.gate.answer(found);
      await firstOf([
        (wake) => this.state.onChange(wake),
        (wake) => this.gate.onInterrupt(wake),
        (wake) => clock.after(leftMs, wake),
        onAbort(signal),
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
