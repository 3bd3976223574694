import type { Redis } from 'ioredis';
import { ClosedError, QueueFaultedError, StoreRefusedError } from '../core/message/errors.js';
import type { DeliveredEntry, GroupReader } from '../core/store/delivery-store.js';
import type { QueueRef } from '../core/store/refs.js';
import { BlockingReader } from './blocking-reader.js';
import type { Connections } from './connections.js';
import { type RawEntry, readContent } from './entry-content.js';
import { storeError } from './errors.js';
import type { Keys } from './keys.js';

/** Words of Redis for "this stream or group is not what it should be". */
const FAULTS: Readonly<Record<string, 'no-group' | 'wrong-type'>> = {
  WRONGTYPE: 'wrong-type',
  NOGROUP: 'no-group',
  // Redis 7.0: the key vanished, or changed its type, while the read waited.
  UNBLOCKED: 'no-group',
};

type RawReply = [key: Buffer, entries: RawEntry[]][] | null;

interface ReadRequest {
  queues: readonly QueueRef[];
  perQueue: number;
  blockMs: number;
  signal: AbortSignal;
}

/**
 * Reads for one consumer. One that may wait has a connection of its own: commands sent behind it would wait, too. One
 * that does not wait goes with the commands, in one write with the settles of what was read before.
 */
export class RedisGroupReader implements GroupReader {
  private readonly keys: Keys;
  private readonly group: string;
  private readonly consumer: string;
  private readonly connections: Connections;
  private readonly reader: BlockingReader;
  private closed = false;
  /** Handed to this consumer while a faulty queue was looked for; the next read returns them. */
  private kept: DeliveredEntry[] = [];

  constructor(options: { connections: Connections; keys: Keys; group: string; consumer: string }) {
    this.keys = options.keys;
    this.group = options.group;
    this.consumer = options.consumer;
    this.connections = options.connections;
    this.reader = new BlockingReader({
      name: `The reader of ${options.group}`,
      connections: options.connections,
    });
  }

  async read(request: ReadRequest): Promise<DeliveredEntry[]> {
    if (this.kept.length > 0) return this.takeKept();
    if (request.queues.length === 0) return [];
    try {
      return await this.ask(request.queues, request);
    } catch (error) {
      const refusal = storeError(error, { operation: 'XREADGROUP' });
      if (!(refusal instanceof StoreRefusedError) || !FAULTS[refusal.reason]) throw refusal;
      return this.findFault(request);
    }
  }

  /** Ends a waiting read. */
  close(): Promise<void> {
    this.closed = true;
    return this.reader.close();
  }

  /** One bad queue makes the whole read fail without naming it: ask each alone, and lose nothing they answer. */
  private async findFault(request: ReadRequest): Promise<DeliveredEntry[]> {
    const probes: PromiseSettledResult<DeliveredEntry[]>[] = [];
    for (const ref of request.queues) {
      const [probe] = await Promise.allSettled([this.ask([ref], { ...request, blockMs: 0 })]);
      probes.push(probe);
    }
    let fault: Error | undefined;
    for (const [i, probe] of probes.entries()) {
      if (probe.status === 'fulfilled') this.kept.push(...probe.value);
      else fault ??= this.describe(request.queues[i]!, probe.reason);
    }
    if (fault) throw fault;
    return this.takeKept();
  }

  private describe(ref: QueueRef, error: unknown): Error {
    const { topic, queue } = ref;
    const { log } = this.keys.queue(ref);
    const refusal = storeError(error, { operation: 'XREADGROUP', key: log });
    const fault = refusal instanceof StoreRefusedError ? FAULTS[refusal.reason] : undefined;
    if (!fault) return refusal;
    const what =
      fault === 'no-group'
        ? `consumer group "${this.group}" is gone there, or the whole queue is: it was deleted or flushed`
        : `the key ${log} holds something else than a stream`;
    return new QueueFaultedError(
      `Queue ${topic}/${queue} cannot be read: ${what}. Other queues are not affected`,
      { topic, queue, fault },
      { cause: refusal.cause },
    );
  }

  private async ask(
    queues: readonly QueueRef[],
    { perQueue, blockMs, signal }: ReadRequest,
  ): Promise<DeliveredEntry[]> {
    if (this.closed) throw new ClosedError(`The reader of ${this.group} was closed`);
    const logs = queues.map((ref) => this.keys.queue(ref).log);
    const args = ['GROUP', this.group, this.consumer, 'COUNT', String(perQueue)];
    const streams = ['STREAMS', ...logs, ...logs.map(() => '>')];
    const ask = (redis: Redis, longestMs: number): Promise<RawReply> => {
      const wait = Math.ceil(Math.min(blockMs, longestMs));
      const block = wait > 0 ? ['BLOCK', String(wait)] : [];
      return redis.callBuffer('xreadgroup', ...args, ...block, ...streams) as Promise<RawReply>;
    };
    if (signal.aborted) return [];
    const { gathered, ready } = this.connections;
    const reply = await (blockMs > 0 || !ready
      ? this.reader.read(signal, ask)
      : ask(gathered.redis, 0));
    return reply === null
      ? []
      : readDeliveries(reply, new Map(logs.map((log, i) => [log, queues[i]!])));
  }

  private takeKept(): DeliveredEntry[] {
    const kept = this.kept;
    this.kept = [];
    return kept;
  }
}

function readDeliveries(
  reply: NonNullable<RawReply>,
  queues: Map<string, QueueRef>,
): DeliveredEntry[] {
  const deliveries: DeliveredEntry[] = [];
  for (const [key, entries] of reply) {
    const { topic, queue } = queues.get(key.toString())!;
    for (const [id, fields] of entries)
      deliveries.push({
        topic,
        queue,
        offset: id.toString('latin1'),
        content: readContent(fields),
        attempt: 1,
        deliveryCount: 1,
        suspect: false,
        history: '',
      });
  }
  return deliveries;
}
