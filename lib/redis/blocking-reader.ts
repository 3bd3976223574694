import type { Redis } from 'ioredis';
import { ClosedError } from '../core/message/errors.js';
import type { Connection } from './connection.js';
import type { Connections } from './connections.js';

/** So long a read may take to notice that it was told to end; then its connection is dropped. */
const UNBLOCK_WITHIN_MS = 250;
const UNBLOCK_EVERY_MS = 10;

/**
 * One connection for reads that wait, and the way to end them.
 *
 * A waiting read is ended by CLIENT UNBLOCK over the connection for commands: then nothing is lost that Redis hands
 * out in the same moment. Without that right, or without an answer, the connection is dropped instead.
 */
export class BlockingReader {
  private readonly name: string;
  private readonly connections: Connections;
  private readonly connection: Connection;
  private readonly closing = new AbortController();
  private underWay: Promise<unknown> = Promise.resolve();
  /** Redis's number for the connection, once asked for. */
  private clientId: { era: number; id: Promise<number | undefined> } | undefined;

  constructor(options: { name: string; connections: Connections }) {
    this.name = options.name;
    this.connections = options.connections;
    this.connection = options.connections.openReader();
  }

  /**
   * The reply of a command, null when it was ended by the signal or by `close`. One at a time.
   *
   * @throws whatever ioredis does, and StoreUnavailableError when the connection is not ready in time.
   */
  async read<T>(
    signal: AbortSignal,
    send: (redis: Redis, longestBlockMs: number) => Promise<T | null>,
  ): Promise<T | null> {
    if (this.closing.signal.aborted) throw new ClosedError(`${this.name} was closed`);
    if (signal.aborted) return null;
    const ended = AbortSignal.any([signal, this.closing.signal]);
    const reading = this.readUntil(ended, send);
    this.underWay = reading.catch(() => undefined);
    return reading;
  }

  /** Ends a waiting read. */
  async close(): Promise<void> {
    this.closing.abort();
    await this.underWay;
    this.connections.release(this.connection);
  }

  private async readUntil<T>(
    ended: AbortSignal,
    send: (redis: Redis, longestBlockMs: number) => Promise<T | null>,
  ): Promise<T | null> {
    let done = false;
    const unblock = (): void => void this.unblock(() => done);
    try {
      await this.connection.whenReady({ timeoutMs: this.connections.blockMs, signal: ended });
      this.askForId();
      ended.addEventListener('abort', unblock, { once: true });
      return await send(this.connection.redis, this.connections.blockMs);
    } catch (error) {
      if (ended.aborted) return null;
      throw error;
    } finally {
      done = true;
      ended.removeEventListener('abort', unblock);
    }
  }

  /** Travels with the first read of each connection; a user without this right is told so by Redis, and only then. */
  private askForId(): void {
    const { era, redis } = this.connection;
    if (this.clientId?.era === era) return;
    this.clientId = { era, id: redis.client('ID').catch(() => undefined) };
  }

  /** Repeated, since the read may not have reached Redis yet. */
  private async unblock(isDone: () => boolean): Promise<void> {
    const id = await this.clientId?.id;
    const until = performance.now() + UNBLOCK_WITHIN_MS;
    while (id !== undefined && !isDone() && performance.now() < until) {
      if (!(await this.connections.unblock(id))) break;
      await new Promise((resolve) => setTimeout(resolve, UNBLOCK_EVERY_MS));
    }
    if (!isDone()) this.connection.replace();
  }
}
