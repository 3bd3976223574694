import type { Acks } from '../core/message/acks.js';
import type { QueueRef } from '../core/store/refs.js';
import { AckedCalls } from './acked-calls.js';
import type { Connections } from './connections.js';
import { diskAcksBySettings, mayNotWait } from './disk-probe.js';
import type { Keys } from './keys.js';

/** The queue that stands for the one server there is: its keys need not exist. */
const ANY: QueueRef = { topic: 'any', queue: 0 };

/** Connections for calls that are answered once replicas or the disk have what they wrote: one, or in a cluster one for each queue. */
export class AckedQueues {
  private readonly connections: Connections;
  private readonly keys: Keys;
  private readonly calls = new Map<string, AckedCalls>();

  constructor(options: { connections: Connections; keys: Keys }) {
    this.connections = options.connections;
    this.keys = options.keys;
  }

  /** In a cluster each leads to the node that has the queue. */
  of(ref: QueueRef): AckedCalls {
    const { log, probe } = this.keys.queue(ref);
    const name = this.connections.isSpread ? log : '';
    let calls = this.calls.get(name);
    if (!calls) {
      calls = new AckedCalls({ connections: this.connections, key: log, probeKey: probe });
      this.calls.set(name, calls);
    }
    return calls;
  }

  /**
   * Whether every server can tell what `acks` ask for. One server is tried out, which takes it a second; the nodes of a cluster
   * are asked for their settings, and tried out by the first send to each queue.
   *
   * @throws StoreRefusedError with reason `NO_DISK_ACKS` and what to do about it. Replicas may come later: nothing is refused.
   */
  async check(acks: Acks): Promise<void> {
    if (acks !== 'disk') return;
    if (!this.connections.isSpread) return this.of(ANY).checkDisk();
    for (const { info, config } of await this.connections.persistence()) {
      const { appendfsync } = config;
      if (diskAcksBySettings({ info, appendfsync }) === 'wait' && !this.connections.may('WAITAOF'))
        throw mayNotWait();
    }
  }
}
