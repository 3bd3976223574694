import type { DeliveredEntry, GroupReader } from '../core/store/delivery-store.js';
import type { MemoryGate } from './memory-gate.js';
import type { MemoryState } from './memory-state.js';
import { MemoryWait } from './memory-wait.js';

type ReadRequest = Parameters<GroupReader['read']>[0];

export class MemoryGroupReader implements GroupReader {
  private readonly state: MemoryState;
  private readonly gate: MemoryGate;
  private readonly group: string;
  private readonly consumer: string;
  private readonly waiting: MemoryWait;

  constructor(options: { state: MemoryState; gate: MemoryGate; group: string; consumer: string }) {
    this.state = options.state;
    this.gate = options.gate;
    this.group = options.group;
    this.consumer = options.consumer;
    this.waiting = new MemoryWait({ ...options, who: `The reader of group "${options.group}"` });
  }

  read(request: ReadRequest): Promise<DeliveredEntry[]> {
    return this.waiting.until(() => this.take(request), request);
  }

  close(): Promise<void> {
    return this.waiting.close();
  }

  private take({ queues, perQueue }: ReadRequest): DeliveredEntry[] {
    const now = this.gate.clock.now();
    // All groups are looked up before any entry is handed out: one faulted queue fails the read as a whole.
    const groups = queues.map((ref) => this.state.groupOrFault({ ...ref, group: this.group }));
    return groups.flatMap((group) => group.readNew(this.consumer, perQueue, now));
  }
}
