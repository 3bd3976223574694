import type { Redis } from 'ioredis';
import { ClosedError } from '../core/message/errors.js';
import type { Connections } from './connections.js';
import type { ReaderConnection } from './reader-connections.js';
import { isElsewhere } from './errors.js';

/** So long a read may take to notice that it was told to end; then its connection is dropped. */
const UNBLOCK_WITHIN_MS = 250;
const UNBLOCK_EVERY_MS = 10;

export interface BlockingReaderOptions {
  /** Appears in errors. */
  name: string;
  connections: Connections;
  /** Called where a reply may have been lost and nothing is thrown. */
  onLostReply?: () => void;
}

/**
 * One connection for reads that wait, and the way to end them.
 *
 * A waiting read is ended by CLIENT UNBLOCK over the connection for commands: then nothing is lost that Redis hands
 * out in the same moment. Without that right, or without an answer, the connection is dropped instead.
 */
export class BlockingReader {
  private readonly name: string;
  private readonly connections: Connections;
  private readonly onLostReply: (() => void) | undefined;
  private readonly reader: ReaderConnection;
  private closed = false;
  /** The read under way, and how to end it. */
  private underWay: { end(): void; settled: Promise<unknown> } | undefined;
  /** Listened to from read to read while it stays the same: to begin and to end that would be a part of each hand-over. */
  private heeded: AbortSignal | undefined;
  /** Redis's number for the connection, once asked for. */
  private clientId: { era: number; id: Promise<number | undefined> } | undefined;

  /** `key`: one of those it reads; in a cluster all must be in its slot. */
  constructor(options: BlockingReaderOptions & { key: string }) {
    this.name = options.name;
    this.connections = options.connections;
    this.onLostReply = options.onLostReply;
    this.reader = options.connections.openReader(options.key);
  }

  /**
   * The reply of a command, null when it was ended by the signal or by `close`. One at a time.
   *
   * @throws whatever ioredis does, and StoreUnavailableError when the connection is not ready within `readyMs`: nothing was sent.
   */
  async read<T>(
    signal: AbortSignal,
    send: (redis: Redis, longestBlockMs: number) => Promise<T | null>,
    readyMs = this.connections.blockMs,
  ): Promise<T | null> {
    if (this.closed) throw new ClosedError(`${this.name} was closed`);
    if (signal.aborted) return null;
    const reading = new Reading((isDone) => void this.unblock(isDone));
    const settled = this.readOnce(reading, send, readyMs);
    this.underWay = { end: reading.end, settled };
    this.heed(signal);
    try {
      return await settled;
    } catch (error) {
      if (!reading.ended) throw error;
      if (reading.sent) this.onLostReply?.();
      return null;
    } finally {
      reading.done = true;
    }
  }

  /** Ends a waiting read. */
  async close(): Promise<void> {
    this.closed = true;
    this.underWay?.end();
    await this.underWay?.settled.catch(() => undefined);
    this.heed(undefined);
    this.connections.release(this.reader);
  }

  private readonly endRead = (): void => this.underWay?.end();

  private heed(signal: AbortSignal | undefined): void {
    if (signal === this.heeded) return;
    this.heeded?.removeEventListener('abort', this.endRead);
    this.heeded = signal;
    signal?.addEventListener('abort', this.endRead);
  }

  private async readOnce<T>(
    reading: Reading,
    send: (redis: Redis, longestBlockMs: number) => Promise<T | null>,
    readyMs: number,
  ): Promise<T | null> {
    const { connections } = this;
    const { connection } = this.reader;
    if (!connection.ready)
      await connection.whenReady({ timeoutMs: readyMs, signal: reading.waiting() });
    if (reading.ended) return null;
    this.askForId();
    reading.sent = true;
    try {
      return await send(connection.redis, connections.blockMs);
    } catch (error) {
      if (isElsewhere(error)) connections.keyMoved();
      throw error;
    }
  }

  /** Travels with the first read of each connection; a user without this right is told so by Redis, and only then. */
  private askForId(): void {
    const { era, redis } = this.reader.connection;
    if (this.clientId?.era === era || !this.connections.may('CLIENT ID')) return;
    this.clientId = { era, id: redis.client('ID').catch(() => undefined) };
  }

  /** Repeated, since the read may not have reached Redis yet. */
  private async unblock(isDone: () => boolean): Promise<void> {
    const drop = (): void => {
      if (!isDone()) this.reader.connection.replace();
    };
    const patience = setTimeout(drop, UNBLOCK_WITHIN_MS);
    const id = await this.clientId?.id;
    while (!isDone() && id !== undefined && (await this.connections.unblock(this.reader, id)))
      await new Promise((resolve) => setTimeout(resolve, UNBLOCK_EVERY_MS));
    clearTimeout(patience);
    drop();
  }
}

/** One read: whether it is still wanted, and how far it got. */
class Reading {
  ended = false;
  sent = false;
  done = false;
  private wait: AbortController | undefined;
  private readonly unblock: (isDone: () => boolean) => void;

  constructor(unblock: (isDone: () => boolean) => void) {
    this.unblock = unblock;
  }

  /** Aborts when the read is ended before it was sent. */
  waiting(): AbortSignal {
    this.wait = new AbortController();
    return this.wait.signal;
  }

  readonly end = (): void => {
    if (this.ended || this.done) return;
    this.ended = true;
    if (this.sent) this.unblock(() => this.done);
    else this.wait?.abort();
  };
}
