import type { Redis } from 'ioredis';
import { ClosedError, StoreRefusedError, StoreUnavailableError } from '../core/message/errors.js';
import type { Logger } from '../core/runtime/logger.js';
import type { StoreHealth } from '../core/runtime/store-health.js';
import type { Availability } from '../core/store/stores.js';
import { Connection } from './connection.js';
import type { ConnectionPlan } from './connection-options.js';
import { answer } from './errors.js';
import type { ScriptHost } from './script.js';
import { OneWrite } from './one-write.js';
import { scripts } from './scripts.js';
import { serverHealth } from './server-health.js';
import { NEEDED_COMMANDS, parseInfo, serverProblem } from './server-check.js';

/**
 * All connections of one `RedisStores`: one for commands, and one for each blocking reader. The library made them
 * (or asked the factory to), so the library closes them.
 */
export class Connections implements ScriptHost, Availability {
  private readonly plan: ConnectionPlan;
  private readonly logger: Logger;
  private readonly now: (() => number) | undefined;
  private readonly listeners = new Set<(ready: boolean, error?: Error) => void>();
  private readonly readers = new Set<Connection>();
  private commands: Connection | undefined;
  private isCluster = true;
  private closed = false;

  /** The same connection; what is asked through it within one turn leaves in one write. */
  readonly gathered: ScriptHost;

  constructor(options: { plan: ConnectionPlan; logger: Logger; now: (() => number) | undefined }) {
    this.plan = options.plan;
    this.logger = options.logger;
    this.now = options.now;
    this.gathered = gatheredHost(this);
  }

  get redis(): Redis {
    return this.connected().redis;
  }

  get testTimeMs(): string {
    return this.now ? String(Math.round(this.now())) : '';
  }

  /** Whether calls can be made right now. */
  get ready(): boolean {
    return this.commands?.ready ?? false;
  }

  /** Whether one script may touch keys of several slots. Known once the connection is open; until then it may not. */
  get spansSlots(): boolean {
    return !this.isCluster;
  }

  /** Longest wait of a blocking read. */
  get blockMs(): number {
    return this.plan.blockMs;
  }

  onChange(listener: (ready: boolean, error?: Error) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /**
   * Resolves when the server is reached and fit: version, role, eviction policy, rights.
   *
   * @throws StoreRefusedError at once, StoreUnavailableError after `timeoutMs`; no text holds a password.
   */
  async open(
    timeoutMs: number,
    fitness: { allowEviction: boolean; anyKey: string },
  ): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    const connection = this.connected();
    for (let leftMs = timeoutMs; ; leftMs = Math.max(0, deadline - performance.now())) {
      await connection.whenReady({ timeoutMs: leftMs });
      try {
        await this.check(fitness);
        return;
      } catch (error) {
        // Lost again in between: wait for the next connection, until the time is up.
        const isPassing =
          error instanceof StoreUnavailableError ||
          (error instanceof StoreRefusedError &&
            ['NOT_SENT', 'LOADING', 'BUSY'].includes(error.reason));
        if (!isPassing || performance.now() >= deadline) throw error;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
  }

  /** What the server says of itself now. CONFIG is a right that few users have: what it would tell stays unknown then. */
  async health(fitness: { allowEviction: boolean }): Promise<StoreHealth> {
    const { redis } = this;
    const config = async (name: string): Promise<string | undefined> => {
      const said = (await redis.config('GET', name).catch(() => [])) as string[];
      return said[1];
    };
    const [info, appendfsync, save] = await Promise.all([
      answer({ operation: 'INFO' }, redis.info()),
      config('appendfsync'),
      config('save'),
    ]);
    const server = {
      target: this.plan.target,
      info: parseInfo(info),
      config: { appendfsync, save },
    };
    return serverHealth(server, fitness);
  }

  /** A connection for one blocking reader, which gives it back with `release`. */
  openReader(): Connection {
    this.connected();
    const connection = new Connection({
      make: () => this.plan.make('blocking'),
      target: this.plan.target,
    });
    this.readers.add(connection);
    return connection;
  }

  release(reader: Connection): void {
    this.readers.delete(reader);
    reader.close();
  }

  /** Ends a waiting read of another connection; false when there is no way to. */
  async unblock(clientId: number): Promise<boolean> {
    if (!this.ready) return false;
    return this.redis.client('UNBLOCK', clientId).then(
      () => true,
      () => false,
    );
  }

  close(): void {
    this.closed = true;
    this.commands?.close();
    for (const reader of this.readers) reader.close();
    this.readers.clear();
  }

  private connected(): Connection {
    if (this.closed) throw new ClosedError('The Redis stores were closed; nothing was sent');
    this.commands ??= new Connection({
      make: () => this.plan.make('commands'),
      target: this.plan.target,
      onChange: (ready, error) => this.changed(ready, error),
    });
    return this.commands;
  }

  private async check(fitness: { allowEviction: boolean; anyKey: string }): Promise<void> {
    const info = parseInfo(await answer({ operation: 'INFO' }, this.redis.info()));
    this.isCluster = info['redis_mode'] === 'cluster';
    const facts = { target: this.plan.target, info };
    // Before any script: an old server would fail on their first line.
    const unfit = serverProblem({ ...facts, missing: [] }, fitness);
    if (unfit) throw unfit;
    const missing = (await scripts.checkRights.run(this, {
      keys: { any: fitness.anyKey },
      args: {},
      moreArgs: NEEDED_COMMANDS,
    })) as string[];
    const lacking = serverProblem({ ...facts, missing }, fitness);
    if (lacking) throw lacking;
  }

  private changed(ready: boolean, error: Error | undefined): void {
    if (ready) this.logger.log(`Connected to ${this.plan.target}`);
    else if (!this.closed)
      this.logger.warn(
        `Lost the connection to ${this.plan.target}${error ? `: ${error.message}` : ''}. It is being restored`,
      );
    for (const listener of [...this.listeners]) listener(ready, error);
  }
}

function gatheredHost(host: ScriptHost): ScriptHost {
  const oneWrite = new OneWrite();
  return {
    get redis() {
      return oneWrite.through(host.redis);
    },
    get testTimeMs() {
      return host.testTimeMs;
    },
  };
}
