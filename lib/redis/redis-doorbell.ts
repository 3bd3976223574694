import type { Doorbell } from '../core/store/queue-lease-store.js';
import type { Connections } from './connections.js';
import { storeError } from './errors.js';
import type { Keys } from './keys.js';
import { StreamReader } from './stream-reader.js';

/** Waits by XREAD, which changes nothing: whoever is no owner any more may wait as long as it likes. */
export class RedisDoorbell implements Doorbell {
  private readonly keys: Keys;
  private readonly topic: string;
  private readonly reader: StreamReader;

  constructor(options: { connections: Connections; keys: Keys; topic: string }) {
    this.keys = options.keys;
    this.topic = options.topic;
    this.reader = new StreamReader({
      name: `The doorbell of ${options.topic}`,
      connections: options.connections,
    });
  }

  async wait(request: {
    queues: readonly { queue: number; after: string }[];
    blockMs: number;
    signal: AbortSignal;
  }): Promise<number[]> {
    const { queues, blockMs, signal } = request;
    const { topic } = this;
    const streams = queues.map(({ queue, after }) => ({
      key: this.keys.queue({ topic, queue }).log,
      after,
    }));
    const command = ['xread', 'COUNT', '1'] as const;
    try {
      const wait = Math.max(1, blockMs);
      const found = await this.reader.read({ command, streams, blockMs: wait, signal });
      const { entries, failures } = found;
      if (entries.length === 0 && failures.length > 0) throw failures[0]!.error;
      const ringing = new Set(entries.map(([key]) => key.toString()));
      return queues.flatMap(({ queue }, i) => (ringing.has(streams[i]!.key) ? [queue] : []));
    } catch (error) {
      throw storeError(error, { operation: 'XREAD' });
    }
  }

  close(): Promise<void> {
    return this.reader.close();
  }
}
