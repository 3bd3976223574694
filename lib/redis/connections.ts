import type { Redis } from 'ioredis';
import { ClosedError, StoreRefusedError, StoreUnavailableError } from '../core/message/errors.js';
import type { Logger } from '../core/runtime/logger.js';
import type { StoreHealth } from '../core/runtime/store-health.js';
import type { Availability } from '../core/store/stores.js';
import type { ClusterClient } from './cluster-client.js';
import { ClusterNodes } from './cluster-nodes.js';
import type { OptionalCommand } from './commands.js';
import { Connection } from './connection.js';
import type { ConnectionPlan } from './connection-options.js';
import { isElsewhere, plain } from './errors.js';
import { type Demands, Fitness } from './fitness.js';
import { type GatheringHost, gatheredHost } from './one-write.js';
import { type ReaderConnection, ReaderConnections } from './reader-connections.js';
import type { Commands, ScriptHost } from './script.js';
import type { Expectations, ServerFacts } from './server-health.js';
import { Servers } from './servers.js';

/** A start that takes longer looks as if it hung. */
const SAY_WAITING_AFTER_MS = 1_000;

/**
 * All connections of one `RedisStores`: one for commands (in a cluster, one to each primary), and one for each blocking
 * reader. The library made them (or asked the factory to), so the library closes them.
 */
export class Connections implements ScriptHost, Availability {
  private readonly plan: ConnectionPlan;
  private readonly logger: Logger;
  private readonly now: (() => number) | undefined;
  private readonly listeners = new Set<(ready: boolean, error?: Error) => void>();
  private readonly nodeListeners = new Set<() => void>();
  private readonly readers: ReaderConnections;
  private readonly nodes: ClusterNodes | undefined;
  private readonly servers: Servers;
  private readonly fitness: Fitness;
  private commands: Connection<Redis | ClusterClient> | undefined;
  private saidWaiting = false;
  private closed = false;

  /** The same connection; what is asked through it within one turn leaves in one write. */
  readonly gathered: GatheringHost;

  constructor(options: { plan: ConnectionPlan; logger: Logger; now: (() => number) | undefined }) {
    this.plan = options.plan;
    this.logger = options.logger;
    this.now = options.now;
    this.gathered = gatheredHost({
      client: () => this.connected().redis,
      testTimeMs: () => this.testTimeMs,
    });
    const { cluster } = this.plan;
    if (cluster)
      this.nodes = new ClusterNodes({
        plan: cluster,
        logger: this.logger,
        onRefresh: () => this.readers.followKeys(),
        onNode: () => this.nodeReached(),
      });
    this.readers = new ReaderConnections({ plan: this.plan, nodes: this.nodes });
    this.servers = new Servers({
      target: this.plan.target,
      nodes: this.nodes,
      one: () => this.connected().redis,
      may: (command) => this.may(command),
    });
    this.fitness = new Fitness({
      target: this.plan.target,
      servers: this.servers,
      isNode: this.nodes !== undefined,
      host: this,
    });
  }

  get redis(): Commands {
    return this.connected().redis;
  }

  get testTimeMs(): string {
    return this.now ? String(Math.round(this.now())) : '';
  }

  get name(): string {
    return this.plan.target;
  }

  get why(): string | undefined {
    const error = this.commands?.error;
    return error && plain(error);
  }

  /** Whether calls can be made right now. */
  get ready(): boolean {
    return this.commands?.ready ?? false;
  }

  /** Whether one script may touch keys of several slots. Known once the connection is open; until then it may not. */
  get spansSlots(): boolean {
    return !this.fitness.isCluster;
  }

  /** Whether streams that are read together may be on different nodes. */
  get isSpread(): boolean {
    return this.nodes !== undefined;
  }

  /** Whether the user may run it. Known once the connection is open; asking Redis instead would fill its ACL LOG. */
  may(command: OptionalCommand): boolean {
    return this.fitness.may(command);
  }

  /** Longest wait of a blocking read. */
  get blockMs(): number {
    return this.plan.blockMs;
  }

  onChange(listener: (ready: boolean, error?: Error) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  onReached(listener: () => void): () => void {
    if (!this.nodes)
      return this.onChange((ready) => {
        if (ready) listener();
      });
    this.nodeListeners.add(listener);
    return () => this.nodeListeners.delete(listener);
  }

  /**
   * Resolves when the server is reached and fit: version, role, eviction policy, rights.
   *
   * @throws StoreRefusedError at once, StoreUnavailableError after `timeoutMs`; no text holds a password.
   */
  async open(timeoutMs: number, demands: Demands): Promise<void> {
    const connection = this.connected();
    const note = setTimeout(() => this.sayWaiting(connection, timeoutMs), SAY_WAITING_AFTER_MS);
    try {
      await this.reach(connection, timeoutMs, demands);
    } finally {
      clearTimeout(note);
    }
  }

  private async reach(
    connection: Connection<Redis | ClusterClient>,
    timeoutMs: number,
    demands: Demands,
  ): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    for (let leftMs = timeoutMs; ; leftMs = Math.max(0, deadline - performance.now())) {
      await connection.whenReady({ timeoutMs: leftMs });
      try {
        await this.fitness.check(demands);
        return;
      } catch (error) {
        // Lost again in between: wait for the next connection, until the time is up.
        const isPassing =
          error instanceof StoreUnavailableError ||
          // Of one server by itself it says that it is a node of a cluster: that does not pass.
          (this.nodes && isElsewhere(error)) ||
          (error instanceof StoreRefusedError &&
            ['NOT_SENT', 'LOADING', 'BUSY'].includes(error.reason));
        if (!isPassing) throw error;
        if (performance.now() >= deadline) throw this.explained(error);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
  }

  /**
   * What the servers say of themselves now.
   *
   * @throws when none answers.
   */
  health(expected: Expectations): Promise<StoreHealth> {
    return this.servers.health(expected);
  }

  /** What each server that holds data says of itself, and of what it keeps. */
  persistence(): Promise<ServerFacts[]> {
    return this.servers.facts();
  }

  /** A connection for one blocking reader, which gives it back with `release`. */
  openReader(key: string): ReaderConnection {
    // Not after `close`.
    this.connected();
    return this.readers.open(key);
  }

  release(reader: ReaderConnection): void {
    this.readers.release(reader);
  }

  /** Ends a waiting read of a reader; false when there is no way to. */
  async unblock({ connection }: ReaderConnection, clientId: number): Promise<boolean> {
    if (!this.ready || !this.may('CLIENT UNBLOCK')) return false;
    const redis = this.nodes ? this.nodes.beside(connection.redis) : this.redis;
    if (!redis) return false;
    return redis.client('UNBLOCK', clientId).then(
      () => true,
      () => false,
    );
  }

  /** A node said that it does not have the key of a reader: find out who does. */
  keyMoved(): void {
    this.nodes?.refresh();
  }

  close(): void {
    this.closed = true;
    this.commands?.close();
    this.readers.close();
  }

  /** Said once: whoever tries to open again and again tells the rest. */
  private sayWaiting({ error }: Connection<Redis | ClusterClient>, timeoutMs: number): void {
    if (this.saidWaiting) return;
    this.saidWaiting = true;
    this.logger.warn(
      `Waiting for ${this.plan.target}${error ? ` (${plain(error)})` : ''}, up to ${timeoutMs} ms in all: nothing is sent or received before. Start Redis there, or correct the option "connection"`,
    );
  }

  private connected(): Connection<Redis | ClusterClient> {
    if (this.closed) throw new ClosedError('The Redis stores were closed; nothing was sent');
    this.commands ??= new Connection({
      make: () => this.nodes?.connect() ?? this.plan.make('commands'),
      target: this.plan.target,
      onChange: (ready, error) => this.changed(ready, error),
    });
    return this.commands;
  }

  /** Slots that no node serves say more than the one call that failed. */
  private explained(error: unknown): unknown {
    const problem = this.servers.clusterProblem();
    return problem ? new StoreUnavailableError(problem.text, { cause: error }) : error;
  }

  private nodeReached(): void {
    for (const listener of [...this.nodeListeners]) listener();
  }

  private changed(ready: boolean, error: Error | undefined): void {
    for (const listener of [...this.listeners]) listener(ready, error);
  }
}
