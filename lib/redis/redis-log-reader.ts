import { QueueFaultedError, StoreRefusedError } from '../core/message/errors.js';
import type { LogPosition, LogReader } from '../core/store/message-log.js';
import type { StoredEntry } from '../core/store/refs.js';
import type { Connections } from './connections.js';
import { readContent } from './entry-content.js';
import { answer, storeError } from './errors.js';
import type { Keys } from './keys.js';
import { StreamReader } from './stream-reader.js';
import type { StreamsReply } from './stream-reply.js';

/** Reads streams from where its caller stands, over a connection of its own. */
export class RedisLogReader implements LogReader {
  private readonly connections: Connections;
  private readonly keys: Keys;
  private readonly reader: StreamReader;

  constructor(options: { connections: Connections; keys: Keys }) {
    this.connections = options.connections;
    this.keys = options.keys;
    this.reader = new StreamReader({
      name: 'The reader of a log',
      connections: options.connections,
    });
  }

  async read(request: Parameters<LogReader['read']>[0]): Promise<StoredEntry[]> {
    const { positions, perQueue, blockMs, signal } = request;
    if (positions.length === 0) return [];
    const byLog = new Map(positions.map((ref) => [this.keys.queue(ref).log, ref]));
    const streams = [...byLog].map(([key, { after }]) => ({ key, after }));
    const command = ['xread', 'COUNT', String(perQueue)] as const;
    try {
      const { entries, failures } = await this.reader.read({ command, streams, blockMs, signal });
      // Nothing was taken away: what could not be read now can be read again.
      if (entries.length === 0 && failures.length > 0) throw failures[0]!.error;
      return readEntries(entries, byLog);
    } catch (error) {
      const refusal = storeError(error, { operation: 'XREAD' });
      if (refusal instanceof StoreRefusedError && refusal.reason === 'WRONGTYPE')
        throw (await this.findFault(positions, refusal)) ?? refusal;
      throw refusal;
    }
  }

  close(): Promise<void> {
    return this.reader.close();
  }

  /** One bad key makes the whole read fail without naming it. */
  private async findFault(
    positions: readonly LogPosition[],
    refusal: StoreRefusedError,
  ): Promise<QueueFaultedError | undefined> {
    const { redis } = this.connections;
    for (const ref of positions) {
      const { topic, queue } = ref;
      const { log } = this.keys.queue(ref);
      const isStream = await answer({ operation: 'XLEN', key: log }, redis.xlen(log)).then(
        () => true,
        (error: unknown) => !(error instanceof StoreRefusedError && error.reason === 'WRONGTYPE'),
      );
      if (!isStream)
        return new QueueFaultedError(
          `Queue ${topic}/${queue} cannot be read: the key ${log} holds something else than a stream. Other queues are not affected`,
          { topic, queue, fault: 'wrong-type' },
          { cause: refusal.cause },
        );
    }
    return undefined;
  }
}

function readEntries(
  reply: StreamsReply,
  positions: ReadonlyMap<string, LogPosition>,
): StoredEntry[] {
  return reply.flatMap(({ key, entries }) => {
    const { topic, queue } = positions.get(key.toString())!;
    return entries.map(([id, fields]) => ({
      topic,
      queue,
      offset: id.toString('latin1'),
      content: readContent(fields),
    }));
  });
}
