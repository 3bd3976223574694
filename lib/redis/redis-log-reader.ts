import { QueueFaultedError, StoreRefusedError } from '../core/message/errors.js';
import type { LogPosition, LogReader } from '../core/store/message-log.js';
import type { StoredEntry } from '../core/store/refs.js';
import { BlockingReader } from './blocking-reader.js';
import type { Connections } from './connections.js';
import { type RawEntry, readContent } from './entry-content.js';
import { answer, storeError } from './errors.js';
import type { Keys } from './keys.js';

type RawReply = [key: Buffer, entries: RawEntry[]][] | null;

/** Reads streams from where its caller stands, over a connection of its own. */
export class RedisLogReader implements LogReader {
  private readonly connections: Connections;
  private readonly keys: Keys;
  private readonly reader: BlockingReader;

  constructor(options: { connections: Connections; keys: Keys }) {
    this.connections = options.connections;
    this.keys = options.keys;
    this.reader = new BlockingReader({
      name: 'The reader of a log',
      connections: options.connections,
    });
  }

  async read(request: Parameters<LogReader['read']>[0]): Promise<StoredEntry[]> {
    const { positions, perQueue, blockMs, signal } = request;
    if (positions.length === 0) return [];
    const logs = positions.map((ref) => this.keys.queue(ref).log);
    const streams = ['STREAMS', ...logs, ...positions.map(({ after }) => after)];
    try {
      const reply = await this.reader.read(signal, (redis, longestMs) => {
        const wait = Math.ceil(Math.min(blockMs, longestMs));
        const block = wait > 0 ? ['BLOCK', String(wait)] : [];
        return redis.callBuffer(
          'xread',
          'COUNT',
          String(perQueue),
          ...block,
          ...streams,
        ) as Promise<RawReply>;
      });
      return readEntries(reply ?? [], new Map(logs.map((log, i) => [log, positions[i]!])));
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
  reply: NonNullable<RawReply>,
  positions: ReadonlyMap<string, LogPosition>,
): StoredEntry[] {
  return reply.flatMap(([key, entries]) => {
    const { topic, queue } = positions.get(key.toString())!;
    return entries.map(([id, fields]) => ({
      topic,
      queue,
      offset: id.toString('latin1'),
      content: readContent(fields),
    }));
  });
}
