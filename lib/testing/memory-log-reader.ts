import { ClosedError } from '../core/message/errors.js';
import type { LogReader } from '../core/store/message-log.js';
import type { StoredEntry } from '../core/store/refs.js';
import { firstOf, type MemoryGate, onAbort } from './memory-gate.js';
import type { MemoryState } from './memory-state.js';

type ReadRequest = Parameters<LogReader['read']>[0];

export class MemoryLogReader implements LogReader {
  private readonly state: MemoryState;
  private readonly gate: MemoryGate;
  private readonly closing = new AbortController();

  constructor(state: MemoryState, gate: MemoryGate) {
    this.state = state;
    this.gate = gate;
  }

  async read(request: ReadRequest): Promise<StoredEntry[]> {
    const { clock } = this.gate;
    const until = clock.monotonic() + request.blockMs;
    if (this.closing.signal.aborted)
      throw new ClosedError('The reader of a log was closed; nothing was read. Open another.');
    for (;;) {
      this.gate.enter();
      const entries = this.find(request);
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

  private find({ positions, perQueue }: ReadRequest): StoredEntry[] {
    return positions.flatMap((ref) => {
      const log = this.state.queue(ref)?.log;
      if (!log) return [];
      const found: StoredEntry[] = [];
      for (const { offset } of log.after(ref.after)) {
        if (found.length === perQueue) break;
        found.push(log.read(offset));
      }
      return found;
    });
  }
}
