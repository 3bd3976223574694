import { Cluster, Command, type ClusterOptions, type Redis } from 'ioredis';
import { clusterProblem } from './cluster-health.js';
import { parseInfo } from './server-check.js';

/** A node of a cluster, as `host:port`. */
export type NodeAddress = string;

/** Slots move without a word to clients that ask for nothing in them: the map is read again so often. */
const REFRESH_EVERY_MS = 5_000;

/**
 * How ioredis must treat a cluster so that nothing is sent twice:
 *
 * - retryDelayOnFailover: anything but 0 makes it send again what a closed connection may have carried out.
 * - redirections and CLUSTERDOWN, TRYAGAIN: the node answered instead of acting, so that asking again is safe.
 * - enableOfflineQueue: a node that is being connected holds what is asked of it until it is, or fails. What is asked
 *   before the cluster itself is known is refused by `ClusterClient`.
 */
export const CLUSTER_PROFILE = {
  retryDelayOnFailover: 0,
  retryDelayOnMoved: 0,
  retryDelayOnTryAgain: 200,
  retryDelayOnClusterDown: 200,
  maxRedirections: 16,
  scaleReads: 'master',
  enableReadyCheck: true,
  enableOfflineQueue: true,
  enableAutoPipelining: false,
  slotsRefreshTimeout: 5_000,
  slotsRefreshInterval: REFRESH_EVERY_MS,
  shardedSubscribers: false,
  useSRVRecords: false,
  clusterNodeRetryStrategy: null,
  clusterRetryStrategy: (attempt: number) =>
    Math.min(50 * 2 ** (attempt - 1), 2_000) + Math.random() * 200,
} satisfies ClusterOptions;

/** The text by which ioredis says that it wrote nothing. */
const NOT_SENT = "Stream isn't writeable and enableOfflineQueue options is false";

/** A cluster that, like one server here, refuses at once what it cannot send, and says which node has a key. */
export class ClusterClient extends Cluster {
  private isOver = false;
  /** Why the cluster refused everything, by its last answer. */
  private downBecause: Error | undefined;

  /** The node that has a key, by what the cluster said last. */
  nodeOf(key: string): NodeAddress | undefined {
    return this.slots[new Command('exists', [key]).getSlot()]?.[0];
  }

  /** The connection for commands to a node. */
  node(address: NodeAddress): Redis | undefined {
    return this.nodes('master').find(({ options }) => addressOf(options) === address);
  }

  /**
   * When the map was read, ioredis plans the next look at it: also when the client was closed meanwhile, again and again, and no
   * process could end. What asks after that is not answered.
   */
  override refreshSlotsCache(...[callback]: Parameters<Cluster['refreshSlotsCache']>): void {
    super.refreshSlotsCache((...result) => {
      if (!this.isOver) callback?.(...result);
    });
  }

  override disconnect(reconnect = false): void {
    this.isOver ||= !reconnect;
    super.disconnect(reconnect);
  }

  override sendCommand(...given: Parameters<Cluster['sendCommand']>): unknown {
    const [command] = given;
    if (this.status === 'ready') return super.sendCommand(...given);
    // Its own questions about the cluster come before it is ready.
    if (command.name === 'cluster') {
      this.tellWhyNotReady(command);
      return super.sendCommand(...given);
    }
    command.reject(new Error(NOT_SENT));
    return command.promise;
  }

  /** Its ready check, CLUSTER INFO, tells nobody why the client stays unready. */
  private tellWhyNotReady({ args, promise }: Command): void {
    if (String(args[0]).toUpperCase() !== 'INFO') return;
    promise.then(
      (text) => {
        const problem = clusterProblem([parseInfo(String(text))]);
        this.downBecause = problem?.code === 'CLUSTER_DOWN' ? new Error(problem.text) : undefined;
        if (this.downBecause) this.emit('error', this.downBecause);
      },
      // What a living node said before tells more than that a dead one did not answer.
      (error: unknown) => this.emit('error', this.downBecause ?? error),
    );
  }
}

export function addressOf({
  host,
  port,
}: {
  host?: string | undefined;
  port?: number | undefined;
}): NodeAddress {
  return `${host}:${port}`;
}
