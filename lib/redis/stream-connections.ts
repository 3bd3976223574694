import { BlockingReader, type BlockingReaderOptions } from './blocking-reader.js';

/** So many there are at most. */
export const MOST_CONNECTIONS = 64;
/** Who was not waited for during so many of the longest waits may be gone for good, as the queues of a removed topic are. */
const IDLE_WAITS = 6;

interface StreamConnection {
  readonly reader: BlockingReader;
  /** Undefined while it reads. */
  idleSince: number | undefined;
}

/** Connections to the nodes of a cluster, each to wait for one stream. Those that nobody needs any more are given up. */
export class StreamConnections {
  private readonly options: BlockingReaderOptions;
  private readonly byKey = new Map<string, StreamConnection>();
  private timer: NodeJS.Timeout | undefined;
  private closed = false;

  constructor(options: BlockingReaderOptions) {
    this.options = options;
  }

  /** Which streams can be waited for, and for which there is no connection left. */
  share<S extends { key: string }>(streams: readonly S[]): [waited: S[], asked: S[]] {
    const waited: S[] = [];
    const asked: S[] = [];
    let room = MOST_CONNECTIONS - this.byKey.size;
    for (const stream of streams) {
      const isKnown = this.byKey.has(stream.key);
      if (isKnown || room > 0) waited.push(stream);
      else asked.push(stream);
      if (!isKnown) room -= 1;
    }
    return [waited, asked];
  }

  /** `read` over the connection of this stream, which is opened if there is none. One read of a stream at a time. */
  async use<T>(key: string, read: (reader: BlockingReader) => Promise<T>): Promise<T> {
    const used = this.byKey.get(key) ?? this.open(key);
    used.idleSince = undefined;
    try {
      return await read(used.reader);
    } finally {
      used.idleSince = performance.now();
      this.giveUpLater(this.idleMs);
    }
  }

  /** Ends waiting reads. */
  async close(): Promise<void> {
    this.closed = true;
    clearTimeout(this.timer);
    await Promise.all([...this.byKey.values()].map(({ reader }) => reader.close()));
  }

  private get idleMs(): number {
    return IDLE_WAITS * this.options.connections.blockMs;
  }

  private open(key: string): StreamConnection {
    const made = { reader: new BlockingReader({ ...this.options, key }), idleSince: undefined };
    if (this.closed) void made.reader.close();
    else this.byKey.set(key, made);
    return made;
  }

  private giveUpLater(afterMs: number): void {
    if (!this.closed) this.timer ??= setTimeout(() => this.giveUpIdle(), afterMs).unref();
  }

  private giveUpIdle(): void {
    this.timer = undefined;
    const now = performance.now();
    let nextMs = Infinity;
    for (const [key, { reader, idleSince }] of this.byKey) {
      if (idleSince === undefined) continue;
      const leftMs = idleSince + this.idleMs - now;
      if (leftMs > 0) nextMs = Math.min(nextMs, leftMs);
      else {
        this.byKey.delete(key);
        void reader.close();
      }
    }
    if (nextMs < Infinity) this.giveUpLater(nextMs);
  }
}
