import type { LogReader } from '../core/store/message-log.js';
import type { StoredEntry } from '../core/store/refs.js';
import type { MemoryGate } from './memory-gate.js';
import type { MemoryState } from './memory-state.js';
import { MemoryWait } from './memory-wait.js';

type ReadRequest = Parameters<LogReader['read']>[0];

export class MemoryLogReader implements LogReader {
  private readonly state: MemoryState;
  private readonly waiting: MemoryWait;

  constructor(state: MemoryState, gate: MemoryGate) {
    this.state = state;
    this.waiting = new MemoryWait({ state, gate, who: 'The reader of a log' });
  }

  read(request: ReadRequest): Promise<StoredEntry[]> {
    return this.waiting.until(() => this.find(request), request);
  }

  close(): Promise<void> {
    return this.waiting.close();
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
