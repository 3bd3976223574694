import type { EventEmitter } from 'node:events';
import type { Cluster, Redis, RedisOptions } from 'ioredis';
import { StoreRefusedError, StoreUnavailableError } from '../core/message/errors.js';
import { withoutPeriod } from '../core/message/sentence.js';
import { decodeReplies } from './decode-replies.js';
import { plain, refusalReason, sanitised } from './errors.js';
import { quietReadyCheck } from './quiet-ready-check.js';
import { quietSentinels } from './quiet-sentinels.js';

/** A client that is not ready for this long is replaced: ioredis can stay "reconnecting" for ever. */
const LOST_AFTER_MS = 30_000;
const REBUILD_AFTER_MS = 1_000;

const CHECK_USER = 'Check username, password and ACL';

/** Refusals that waiting does not cure, and what does. */
const HOPELESS: Readonly<Record<string, string>> = {
  WRONGPASS: CHECK_USER,
  NOAUTH: CHECK_USER,
  NOPERM: CHECK_USER,
  NO_DB:
    'Choose a db that it has: see "databases" in its configuration; in a cluster there is 0 only',
};

const CLOSED_AT_ONCE =
  'it closed the connection before it took a command, as servers do at their limit of clients (maxclients), or that expect TLS';

/** ioredis waits for the handshake as for the connection, and says the same of both. */
const NO_HANDSHAKE = 'it may be reached, and speak no TLS';

/** A client of one server, or of a cluster. */
export type Client = Redis | Cluster;

type Waiter = (failure: Error | undefined) => void;

type ClientError = Error & { command?: { name?: string }; lastNodeError?: Error };

/**
 * One connection that outlives its clients: when a client gives up or stays lost, a new one takes its place.
 * Every client has an error listener before its first tick, so that none of its errors goes to the console.
 */
export class Connection<C extends Client = Redis> {
  private readonly make: () => C;
  private readonly target: string;
  private readonly onChange: (ready: boolean, error: Error | undefined) => void;
  private client: C;
  private isReady = false;
  private eras = 0;
  private closed = false;
  private lastError: Error | undefined;
  private timer: NodeJS.Timeout | undefined;
  private readonly waiters = new Set<Waiter>();

  constructor(options: {
    make: () => C;
    /** For errors: where it leads, without a password. */
    target: string;
    onChange?: (ready: boolean, error: Error | undefined) => void;
  }) {
    this.make = options.make;
    this.target = options.target;
    this.onChange = options.onChange ?? (() => {});
    this.client = this.adopt(this.make());
  }

  /** The client of now; ask again for each command. */
  get redis(): C {
    return this.client;
  }

  /** Grows with each time it becomes ready: what belongs to a connection does not outlive it. */
  get era(): number {
    return this.eras;
  }

  get ready(): boolean {
    return this.isReady;
  }

  get error(): Error | undefined {
    return this.lastError;
  }

  /**
   * Resolves when commands can be sent.
   *
   * @throws StoreRefusedError at once when waiting cannot help, e.g. a wrong password.
   * @throws StoreUnavailableError when it is not ready in time, the signal aborts, or it is closed.
   */
  async whenReady(wait: { timeoutMs: number; signal?: AbortSignal }): Promise<void> {
    if (this.isReady) return;
    const { timeoutMs, signal } = wait;
    await new Promise<void>((resolve, reject) => {
      const settle: Waiter = (failure) => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', abort);
        this.waiters.delete(settle);
        if (failure) reject(failure);
        else resolve();
      };
      const abort = (): void => settle(this.unavailable(`The wait for ${this.target} was ended`));
      const timer = setTimeout(
        () =>
          settle(
            this.unavailable(`${this.target} was not ready within ${Math.ceil(timeoutMs)} ms`),
          ),
        timeoutMs,
      );
      signal?.addEventListener('abort', abort, { once: true });
      this.waiters.add(settle);
      const hopeless = this.hopeless();
      if (hopeless) settle(hopeless);
      else if (this.closed || signal?.aborted) abort();
    });
  }

  /** Drop the client with all that is under way, and take a new one. */
  replace(): void {
    if (this.closed) return;
    this.stopTimer();
    this.drop(this.client);
    this.changed(false);
    try {
      this.client = this.adopt(this.make());
    } catch (error) {
      this.lastError = sanitised(error);
    }
    this.replaceIn(LOST_AFTER_MS);
  }

  /** Ends at once, also when Redis is down; what is under way rejects. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.stopTimer();
    this.changed(false);
    this.drop(this.client);
    for (const settle of [...this.waiters]) settle(this.unavailable('The connection was closed'));
  }

  private adopt(client: C): C {
    const events: EventEmitter = client;
    quietSentinels(client);
    let wasConnected = false;
    events.on('error', (error: ClientError) => {
      if (client !== this.client) return;
      // A cluster that cannot be reached says only that; why, its last node says.
      const meant = error.lastNodeError ?? error;
      const said = sanitised(meant);
      if (isHandshakeMissing(client, meant)) said.message += `; ${NO_HANDSHAKE}`;
      // That nothing could be sent afterwards tells less than what came before.
      if (refusalReason(said) !== 'NOT_SENT') this.lastError = said;
      // ioredis would go on with database 0 when it may not SELECT the one it was told.
      if (error.command?.name === 'select') client.disconnect(true);
      this.giveUpIfHopeless();
    });
    // The nodes of a cluster have connections of their own.
    if (!client.isCluster) {
      quietReadyCheck(client as Redis);
      events.on('connect', () => decodeReplies(client as Redis));
    }
    events.on('connect', () => (wasConnected = true));
    events.on('ready', () => {
      wasConnected = false;
      if (client !== this.client) return;
      this.stopTimer();
      this.eras += 1;
      this.lastError = undefined;
      this.changed(true);
      for (const settle of [...this.waiters]) settle(undefined);
    });
    events.on('close', () => {
      if (client !== this.client || this.closed) return;
      if (wasConnected && isBareClose(this.lastError)) this.lastError = new Error(CLOSED_AT_ONCE);
      wasConnected = false;
      this.changed(false);
      this.replaceIn(LOST_AFTER_MS);
    });
    events.on('end', () => {
      if (client !== this.client || this.closed) return;
      this.changed(false);
      this.stopTimer();
      this.replaceIn(REBUILD_AFTER_MS);
    });
    // The event "error" tells of it, and it is tried again.
    if (client.status === 'wait') client.connect().catch(() => undefined);
    return client;
  }

  private replaceIn(delayMs: number): void {
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      if (!this.isReady) this.replace();
    }, delayMs).unref();
  }

  private stopTimer(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
  }

  /** Its error listener stays: a dropped client may still report one. */
  private drop(client: C): void {
    client.disconnect();
    const nodes: readonly Redis[] = client.isCluster
      ? (client as Cluster).nodes()
      : [client as Redis];
    for (const node of nodes) node.stream?.destroy();
  }

  private changed(ready: boolean): void {
    if (ready === this.isReady) return;
    this.isReady = ready;
    this.onChange(ready, this.lastError);
  }

  private giveUpIfHopeless(): void {
    const hopeless = this.hopeless();
    if (hopeless) for (const settle of [...this.waiters]) settle(hopeless);
  }

  private hopeless(): StoreRefusedError | undefined {
    const reason = refusalReason(this.lastError);
    const advice = reason && HOPELESS[reason];
    if (!advice) return undefined;
    return new StoreRefusedError(
      `${this.target} refused the connection: ${withoutPeriod(this.lastError!.message)}. ${advice}`,
      { reason },
      { cause: this.lastError },
    );
  }

  private unavailable(text: string): StoreUnavailableError {
    const said = this.lastError && plain(this.lastError);
    const reason = said ?? (isHandshakeAwaited(this.client) ? NO_HANDSHAKE : undefined);
    const why = reason === undefined ? '' : `: ${reason}`;
    return new StoreUnavailableError(`${text}${why}`, { cause: this.lastError });
  }
}

/** ioredis gave up while TLS was waited for: a time-out of the system has an address. Not told of clusters. */
function isHandshakeMissing(client: Client, error: NodeJS.ErrnoException): boolean {
  const { tls } = client.options as RedisOptions;
  return Boolean(tls) && error.code === 'ETIMEDOUT' && !('address' in error);
}

/** Whoever waits for less than ioredis does has heard of no error yet. */
function isHandshakeAwaited(client: Client): boolean {
  return Boolean((client.options as RedisOptions).tls) && client.status === 'connecting';
}

/** ioredis says no more than this where a server closes a connection with a word, or without one. */
function isBareClose(error: Error | undefined): boolean {
  const { code } = (error ?? {}) as NodeJS.ErrnoException;
  return error === undefined || code === 'EPIPE' || code === 'ECONNRESET';
}
