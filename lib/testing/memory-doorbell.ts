import type { LogPosition } from '../core/store/message-log.js';
import type { Doorbell } from '../core/store/queue-lease-store.js';
import type { MemoryGate } from './memory-gate.js';
import type { MemoryState } from './memory-state.js';
import { MemoryWait } from './memory-wait.js';

export class MemoryDoorbell implements Doorbell {
  private readonly state: MemoryState;
  private readonly waiting: MemoryWait;

  constructor(options: { state: MemoryState; gate: MemoryGate }) {
    this.state = options.state;
    this.waiting = new MemoryWait({ ...options, who: 'The doorbell' });
  }

  wait(request: {
    positions: readonly LogPosition[];
    blockMs: number;
    signal: AbortSignal;
  }): Promise<LogPosition[]> {
    return this.waiting.until(
      () =>
        request.positions.filter((position) => {
          const log = this.state.queue(position)?.log;
          return log?.after(position.after).next().done === false;
        }),
      request,
    );
  }

  close(): Promise<void> {
    return this.waiting.close();
  }
}
