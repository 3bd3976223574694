import type { Doorbell } from '../core/store/queue-lease-store.js';
import type { MemoryGate } from './memory-gate.js';
import type { MemoryState } from './memory-state.js';
import { MemoryWait } from './memory-wait.js';

export class MemoryDoorbell implements Doorbell {
  private readonly state: MemoryState;
  private readonly topic: string;
  private readonly waiting: MemoryWait;

  constructor(options: { state: MemoryState; gate: MemoryGate; topic: string }) {
    this.state = options.state;
    this.topic = options.topic;
    this.waiting = new MemoryWait({ ...options, who: `The doorbell of ${options.topic}` });
  }

  wait(request: {
    queues: readonly { queue: number; after: string }[];
    blockMs: number;
    signal: AbortSignal;
  }): Promise<number[]> {
    return this.waiting.until(
      () =>
        request.queues
          .filter(({ queue, after }) => {
            const log = this.state.queue({ topic: this.topic, queue })?.log;
            return log?.after(after).next().done === false;
          })
          .map(({ queue }) => queue),
      request,
    );
  }

  close(): Promise<void> {
    return this.waiting.close();
  }
}
