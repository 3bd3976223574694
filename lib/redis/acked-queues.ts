import type { Acks } from '../core/message/acks.js';
import type { QueueRef } from '../core/store/refs.js';
import { AckedCalls } from './acked-calls.js';
import type { Connections } from './connections.js';
import { diskAcksBySettings, mayNotWait } from './disk-probe.js';
import type { Keys } from './keys.js';

/**
 * A queue that nothing was written to for so long may be gone for good, as those of a removed topic are. The next connection to one
 * that is not has its disk tried out again, which takes a second.
 */
const IDLE_MS = 600_000;

/** The queue that stands for the one server there is: its keys need not exist. */
const ANY: QueueRef = { topic: 'any', queue: 0 };

/**
 * Connections for calls that are answered once replicas or the disk have what they wrote: one, or in a cluster one for
 * each queue.
 */
export class AckedQueues {
  private readonly connections: Connections;
  private readonly keys: Keys;
  private readonly idleMs: number;
  private readonly calls = new Map<string, AckedCalls>();
  private timer: NodeJS.Timeout | undefined;

  /** In a cluster a connection is given up when it was not used for `idleMs`, default ten minutes, or up to twice that. */
  constructor(options: { connections: Connections; keys: Keys; idleMs?: number }) {
    this.connections = options.connections;
    this.keys = options.keys;
    this.idleMs = options.idleMs ?? IDLE_MS;
  }

  /** In a cluster each leads to the node that has the queue. */
  of(ref: QueueRef): AckedCalls {
    const { log, probe } = this.keys.queue(ref);
    const name = this.connections.isSpread ? log : '';
    let calls = this.calls.get(name);
    if (!calls) {
      calls = new AckedCalls({ connections: this.connections, key: log, probeKey: probe });
      this.calls.set(name, calls);
      this.giveUpLater();
    }
    return calls;
  }

  /** Gives up nothing any more; the connections are closed with all others. */
  close(): void {
    clearTimeout(this.timer);
  }

  private giveUpLater(): void {
    if (this.connections.isSpread)
      this.timer ??= setTimeout(() => this.giveUpIdle(), this.idleMs).unref();
  }

  private giveUpIdle(): void {
    this.timer = undefined;
    for (const [name, calls] of this.calls)
      if (calls.idleForMs >= this.idleMs) {
        this.calls.delete(name);
        calls.close();
      }
    if (this.calls.size > 0) this.giveUpLater();
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
