import type { LogPosition } from '../core/store/message-log.js';
import type { Doorbell } from '../core/store/queue-lease-store.js';
import type { Connections } from './connections.js';
import { storeError } from './errors.js';
import type { Keys } from './keys.js';
import { StreamReader } from './stream-reader.js';

/** Waits by XREAD, which changes nothing: whoever is no owner any more may wait as long as it likes. */
export class RedisDoorbell implements Doorbell {
  private readonly keys: Keys;
  private readonly reader: StreamReader;

  constructor(options: { connections: Connections; keys: Keys }) {
    this.keys = options.keys;
    this.reader = new StreamReader({
      name: 'The doorbell',
      connections: options.connections,
    });
  }

  async wait(request: {
    positions: readonly LogPosition[];
    blockMs: number;
    signal: AbortSignal;
  }): Promise<LogPosition[]> {
    const { positions, blockMs, signal } = request;
    const streams = positions.map((ref) => ({ key: this.keys.queue(ref).log, after: ref.after }));
    const command = ['xread', 'COUNT', '1'] as const;
    try {
      const wait = Math.max(1, blockMs);
      const found = await this.reader.read({ command, streams, blockMs: wait, signal });
      const { entries, failures } = found;
      if (entries.length === 0 && failures[0]) throw failures[0].error;
      const ringing = new Set(entries.map(({ key }) => key.toString()));
      return positions.filter((_, i) => ringing.has(streams[i]!.key));
    } catch (error) {
      throw storeError(error, { operation: 'XREAD' });
    }
  }

  close(): Promise<void> {
    return this.reader.close();
  }
}
