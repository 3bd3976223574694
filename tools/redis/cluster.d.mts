import type { RedisBinary, RedisOptions, RunningRedis } from '../with-redis.mjs';

export interface ClusterFleetOptions extends RedisOptions {
  /** Default 3. */
  primaries?: number;
  /** Of each primary. Default 1. */
  replicas?: number;
  /** A node that does not answer for so long is taken for dead. Default 2 000. */
  nodeTimeoutMs?: number;
  /** The same from when the cluster stands, where no node is to be taken for dead. Default `nodeTimeoutMs`. */
  calmTimeoutMs?: number;
}

export interface RunningCluster {
  /** The primaries first, then replicas of the first, the second, the third. */
  nodes: RunningRedis[];
  /** `host:port` of every node, with commas. */
  url: string;
  stop(): Promise<void>;
}

/** Start a private cluster. Every node ends with this process, even after kill -9. */
export function startCluster(
  binary: RedisBinary,
  options?: ClusterFleetOptions,
): Promise<RunningCluster>;
