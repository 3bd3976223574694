import type { Doorbell } from '../core/store/queue-lease-store.js';
import { BlockingReader } from './blocking-reader.js';
import type { Connections } from './connections.js';
import { storeError } from './errors.js';
import type { Keys } from './keys.js';

type Found = [key: string, entries: unknown[]][] | null;

/** Waits by XREAD, which changes nothing: whoever is no owner any more may wait as long as it likes. */
export class RedisDoorbell implements Doorbell {
  private readonly keys: Keys;
  private readonly topic: string;
  private readonly reader: BlockingReader;

  constructor(options: { connections: Connections; keys: Keys; topic: string }) {
    this.keys = options.keys;
    this.topic = options.topic;
    this.reader = new BlockingReader({
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
    const logs = queues.map(({ queue }) => this.keys.queue({ topic, queue }).log);
    const after = queues.map((queue) => queue.after);
    try {
      const found = await this.reader.read(signal, (redis, longestMs) => {
        const wait = String(Math.ceil(Math.max(1, Math.min(blockMs, longestMs))));
        const how = ['COUNT', '1', 'BLOCK', wait, 'STREAMS', ...logs, ...after];
        return redis.call('xread', ...how) as Promise<Found>;
      });
      const ringing = new Set((found ?? []).map(([key]) => key));
      return queues.flatMap(({ queue }, i) => (ringing.has(logs[i]!) ? [queue] : []));
    } catch (error) {
      throw storeError(error, { operation: 'XREAD' });
    }
  }

  close(): Promise<void> {
    return this.reader.close();
  }
}
