import { StoreRefusedError, StoreUnavailableError } from '../core/message/errors.js';
import type { AcksReached, AcksWanted } from '../core/store/message-log.js';
import { AckWaits } from './ack-waits.js';
import type { Connection } from './connection.js';
import type { Connections } from './connections.js';
import type { ReaderConnection } from './reader-connections.js';
import { DiskProbe } from './disk-probe.js';
import { isElsewhere } from './errors.js';
import type { ScriptHost } from './script.js';

const CONNECT_WITHIN_MS = 5_000;

interface AckedCall<Reply> {
  work(host: ScriptHost): Promise<Reply>;
  /** Whether it stored anything. */
  wrote(reply: Reply): boolean;
  /** What it speaks of may have been written earlier, also by others. */
  touch?: boolean;
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
  private readonly touchKey: string;
  private reader: ReaderConnection | undefined;
  private waits: AckWaits | undefined;
  private underWay = 0;
  private usedAt = performance.now();

  /** `key`: one of those the calls are about; in a cluster all must be in its slot, and so must `probeKey`. */
  constructor(options: { connections: Connections; key: string; probeKey: string }) {
    this.connections = options.connections;
    this.key = options.key;
    this.touchKey = options.probeKey;
    this.probe = new DiskProbe({
      key: options.probeKey,
      mayAskConfig: () => this.connections.may('CONFIG GET'),
    });
  }

  /** How long nothing was asked of it; 0 while something is under way. */
  get idleForMs(): number {
    return this.underWay > 0 ? 0 : performance.now() - this.usedAt;
  }

  /** Gives its connection back. Only while nothing is under way, and for good. */
  close(): void {
    if (this.reader) this.connections.release(this.reader);
  }

  /**
   * Carry out `work`, then wait until it is stored as far as wanted, if it stored anything.
   *
   * @throws StoreRefusedError nothing was done: `NO_DISK_ACKS`, `NOT_SENT`, or what `work` throws.
   * @throws StoreUnavailableError the connection was lost in between: whether it is stored, and how far, is not known.
   */
  async run<Reply extends object>(
    wanted: AcksWanted,
    call: AckedCall<Reply>,
  ): Promise<Reply & { reached?: AcksReached }> {
    this.underWay += 1;
    try {
      return await this.carryOut(wanted, call);
    } finally {
      this.underWay -= 1;
      this.usedAt = performance.now();
    }
  }

  private async carryOut<Reply extends object>(
    wanted: AcksWanted,
    call: AckedCall<Reply>,
  ): Promise<Reply & { reached?: AcksReached }> {
    const until = performance.now() + wanted.timeoutMs;
    const connection = await this.ready();
    const { era } = connection;
    const disk = wanted.disk ? await this.probe.ask(connection) : undefined;
    const { testTimeMs } = this.connections;
    const reply = await call
      .work({ redis: connection.redis, testTimeMs })
      .catch((error: unknown) => {
        if (isElsewhere(error)) this.connections.keyMoved();
        throw error;
      });
    if (!call.wrote(reply)) return reply;
    const isOnDisk = disk === 'with-each-reply';
    const rest = { ...wanted, disk: wanted.disk && !isOnDisk };
    if (!rest.disk && rest.replicas === 0)
      return { ...reply, reached: { ...rest, disk: isOnDisk } };
    const { touch = false } = call;
    const reached = await this.waitsOn(connection).reached({ wanted: rest, until, era, touch });
    return { ...reply, reached: { ...reached, disk: reached.disk || isOnDisk } };
  }

  /** @throws StoreRefusedError with reason `NO_DISK_ACKS` when this server cannot tell what is on its disk. */
  async checkDisk(): Promise<void> {
    await this.probe.ask(await this.ready());
  }

  private waitsOn(connection: Connection): AckWaits {
    this.waits ??= new AckWaits({ connection, touchKey: this.touchKey });
    return this.waits;
  }

  private async ready(): Promise<Connection> {
    this.reader ??= this.connections.openReader(this.key);
    const { connection } = this.reader;
    try {
      await connection.whenReady({ timeoutMs: CONNECT_WITHIN_MS });
    } catch (error) {
      if (!(error instanceof StoreUnavailableError)) throw error;
      throw new StoreRefusedError(error.message, { reason: 'NOT_SENT' }, { cause: error });
    }
    return connection;
  }
}
