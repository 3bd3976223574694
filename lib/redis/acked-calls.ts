import { StoreRefusedError, StoreUnavailableError } from '../core/message/errors.js';
import type { AcksReached, AcksWanted } from '../core/store/message-log.js';
import type { Connection } from './connection.js';
import type { Connections } from './connections.js';
import { DiskProbe } from './disk-probe.js';
import { answer, isElsewhere } from './errors.js';
import type { ScriptHost } from './script.js';

/** Longest that one WAIT holds the connection: calls that came meanwhile are carried out after it. */
const SLICE_MS = 250;
const CONNECT_WITHIN_MS = 5_000;

interface Waiting {
  readonly era: number;
  readonly wanted: AcksWanted;
  /** By the monotonic clock. */
  readonly until: number;
  resolve(reached: AcksReached): void;
  reject(error: Error): void;
}

/**
 * Calls that are answered once replicas or the disk have what they wrote.
 *
 * WAIT speaks of what its own connection wrote, and keeps everything behind it waiting: so these calls have a connection
 * of their own, and one WAIT at a time, which speaks for all that were carried out before it. On another connection, also
 * the next one of the same client, it would confirm what nobody has.
 */
export class AckedCalls {
  private readonly connections: Connections;
  private readonly probe: DiskProbe;
  private readonly key: string;
  private reader: Connection | undefined;
  private waiting: Waiting[] = [];
  private isAsking = false;

  /** `key`: one of those the calls are about; in a cluster all must be in its slot, and so must `probeKey`. */
  constructor(options: { connections: Connections; key: string; probeKey: string }) {
    this.connections = options.connections;
    this.key = options.key;
    this.probe = new DiskProbe({
      key: options.probeKey,
      mayAskConfig: () => this.connections.may('CONFIG GET'),
    });
  }

  /**
   * Carry out `work`, then wait until it is stored as far as wanted, if `wrote` says that it stored anything.
   *
   * @throws StoreRefusedError nothing was done: `NO_DISK_ACKS`, `NOT_SENT`, or what `work` throws.
   * @throws StoreUnavailableError the connection was lost in between: whether it is stored, and how far, is not known.
   */
  async run<Reply extends object>(
    wanted: AcksWanted,
    { work, wrote }: { work(host: ScriptHost): Promise<Reply>; wrote(reply: Reply): boolean },
  ): Promise<Reply & { reached?: AcksReached }> {
    const until = performance.now() + wanted.timeoutMs;
    const connection = await this.ready();
    const { era } = connection;
    const disk = wanted.disk ? await this.probe.ask(connection) : undefined;
    const { testTimeMs } = this.connections;
    const reply = await work({ redis: connection.redis, testTimeMs }).catch((error: unknown) => {
      if (isElsewhere(error)) this.connections.keyMoved();
      throw error;
    });
    if (!wrote(reply)) return reply;
    const isOnDisk = disk === 'with-each-reply';
    const rest = { ...wanted, disk: wanted.disk && !isOnDisk };
    if (!rest.disk && rest.replicas === 0)
      return { ...reply, reached: { ...rest, disk: isOnDisk } };
    const reached = await new Promise<AcksReached>((resolve, reject) => {
      this.waiting.push({ era, wanted: rest, until, resolve, reject });
      void this.ask(connection);
    });
    return { ...reply, reached: { ...reached, disk: reached.disk || isOnDisk } };
  }

  /** @throws StoreRefusedError with reason `NO_DISK_ACKS` when this server cannot tell what is on its disk. */
  async checkDisk(): Promise<void> {
    await this.probe.ask(await this.ready());
  }

  private async ready(): Promise<Connection> {
    this.reader ??= this.connections.openReader(this.key).connection;
    const connection = this.reader;
    try {
      await connection.whenReady({ timeoutMs: CONNECT_WITHIN_MS });
    } catch (error) {
      if (!(error instanceof StoreUnavailableError)) throw error;
      throw new StoreRefusedError(error.message, { reason: 'NOT_SENT' }, { cause: error });
    }
    return connection;
  }

  /** One WAIT after the other, until nobody waits. */
  private async ask(connection: Connection): Promise<void> {
    if (this.isAsking) return;
    this.isAsking = true;
    while (this.waiting.length > 0) {
      const asked = this.waiting;
      this.waiting = [];
      try {
        const reached = await askOnce(connection, asked);
        this.settle(connection, { asked, reached });
      } catch (error) {
        for (const { reject } of asked) reject(lost(error));
      }
    }
    this.isAsking = false;
  }

  private settle(
    connection: Connection,
    { asked, reached }: { asked: readonly Waiting[]; reached: AcksReached },
  ): void {
    const now = performance.now();
    for (const call of asked) {
      if (call.era !== connection.era) call.reject(lost());
      else if (isReached(call.wanted, reached) || now >= call.until) call.resolve(reached);
      else this.waiting.push(call);
    }
  }
}

/** How far everything is stored that was carried out on this connection. */
async function askOnce({ redis }: Connection, asked: readonly Waiting[]): Promise<AcksReached> {
  const replicas = Math.max(...asked.map(({ wanted }) => wanted.replicas));
  const disk = asked.some(({ wanted }) => wanted.disk);
  const leftMs = Math.max(...asked.map(({ until }) => until)) - performance.now();
  const slice = Math.ceil(Math.min(SLICE_MS, Math.max(1, leftMs)));
  const [onDisk, confirmed] = await Promise.all([
    disk
      ? answer({ operation: 'WAITAOF' }, redis.call('WAITAOF', 1, 0, slice) as Promise<[number]>)
      : [0],
    replicas > 0 ? answer({ operation: 'WAIT' }, redis.wait(replicas, slice)) : 0,
  ]);
  return { disk: onDisk[0]! > 0, replicas: confirmed };
}

/** The call itself was carried out: whatever became of the question how far, nothing was refused. */
function lost(cause?: unknown): StoreUnavailableError {
  const why = cause instanceof Error ? `: ${cause.message}` : '';
  return new StoreUnavailableError(
    `Replicas or disk were not heard of, the connection was lost${why}. How far the call is stored is not known`,
    { cause },
  );
}

function isReached(wanted: AcksReached, { disk, replicas }: AcksReached): boolean {
  return (disk || !wanted.disk) && replicas >= wanted.replicas;
}
