import { ClosedError, QueueFaultedError, StoreRefusedError } from '../core/message/errors.js';
import type { DeliveredEntry, GroupReader } from '../core/store/delivery-store.js';
import type { QueueRef } from '../core/store/refs.js';
import type { Connections } from './connections.js';
import { readContent } from './entry-content.js';
import { refusalReason, storeError } from './errors.js';
import type { Keys } from './keys.js';
import { StreamReader } from './stream-reader.js';
import type { StreamsReply } from './stream-reply.js';

/** Words of Redis for "this stream or group is not what it should be". */
const FAULTS: Readonly<Record<string, 'no-group' | 'wrong-type'>> = {
  WRONGTYPE: 'wrong-type',
  NOGROUP: 'no-group',
  // Redis 7.0: the key vanished, or changed its type, while the read waited.
  UNBLOCKED: 'no-group',
};

interface ReadRequest {
  queues: readonly QueueRef[];
  perQueue: number;
  blockMs: number;
  signal: AbortSignal;
  leavesNow?: boolean;
  onArrival?: ((entries: DeliveredEntry[]) => void) | undefined;
}

/**
 * Reads for one consumer. One that may wait has a connection of its own: commands sent behind it would wait, too. One
 * that does not wait goes with the commands, in one write with the settles of what was read before.
 */
export class RedisGroupReader implements GroupReader {
  onLostReply?: () => void;
  private readonly keys: Keys;
  private readonly group: string;
  private readonly consumer: string;
  private readonly connections: Connections;
  private readonly reader: StreamReader;
  private closed = false;
  /** Handed to this consumer while a faulty queue was found; the next read returns them. */
  private kept: DeliveredEntry[] = [];
  /** Other queues had something while this happened; the next read throws it: what its reply held may be in our name. */
  private owed: { error: unknown } | undefined;

  constructor(options: { connections: Connections; keys: Keys; group: string; consumer: string }) {
    this.keys = options.keys;
    this.group = options.group;
    this.consumer = options.consumer;
    this.connections = options.connections;
    this.reader = new StreamReader({
      name: `The reader of ${options.group}`,
      connections: options.connections,
      onLostReply: () => this.onLostReply?.(),
    });
  }

  async read(request: ReadRequest): Promise<DeliveredEntry[]> {
    if (this.kept.length > 0) return this.takeKept();
    if (request.queues.length === 0) return [];
    const { owed } = this;
    this.owed = undefined;
    try {
      if (owed) throw owed.error;
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
      const [probe] = await Promise.allSettled([
        this.ask([ref], { ...request, blockMs: 0, onArrival: undefined }),
      ]);
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
    { perQueue, blockMs, signal, leavesNow = false, onArrival }: ReadRequest,
  ): Promise<DeliveredEntry[]> {
    if (this.closed) throw new ClosedError(`The reader of ${this.group} was closed`);
    if (signal.aborted) return [];
    const byLog = new Map(queues.map((ref) => [this.keys.queue(ref).log, ref]));
    const { group, consumer } = this;
    const command = ['xreadgroup', 'GROUP', group, consumer, 'COUNT', String(perQueue)] as const;
    const streams = [...byLog.keys()].map((key) => ({ key, after: '>' }));
    const onReply = (reply: StreamsReply): void => onArrival!(readDeliveries(reply, byLog));
    const { entries, failures } = await (blockMs > 0 || !this.connections.ready
      ? this.reader.read({ command, streams, signal, blockMs, onArrival: onArrival && onReply })
      : this.reader.readNow({ command, streams, signal, leavesNow }));
    const deliveries = readDeliveries(entries, byLog);
    if (failures.length === 0) return deliveries;
    const fault = failures.find(({ error }) => FAULTS[refusalReason(error) ?? '']);
    const failure = fault ?? failures[0]!;
    if (fault) this.kept.push(...deliveries);
    if (fault || deliveries.length === 0) throw failure.error;
    this.owed = failure;
    return deliveries;
  }

  private takeKept(): DeliveredEntry[] {
    const kept = this.kept;
    this.kept = [];
    return kept;
  }
}

function readDeliveries(
  reply: StreamsReply,
  queues: ReadonlyMap<string, QueueRef>,
): DeliveredEntry[] {
  const deliveries: DeliveredEntry[] = [];
  for (const { key, entries } of reply) {
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
