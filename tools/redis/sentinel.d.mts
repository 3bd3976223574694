import type { RedisBinary, RunningRedis } from '../with-redis.mjs';

export interface SentinelFleetOptions {
  /** Default 2. */
  replicas?: number;
  /** Default 1 000. */
  downAfterMs?: number;
  /** Arguments of each server at this port, Sentinels too, and the name of the socket by which we reach it then. */
  tls?: { args(port: number): string[]; socket: string };
}

export interface RunningSentinel {
  /** The first master, then its replicas. */
  nodes: RunningRedis[];
  sentinels: RunningRedis[];
  /** What `connection` must be. */
  connection: { sentinels: { host: string; port: number }[]; name: string };
  stop(): Promise<void>;
}

/** Start a master, its replicas and three Sentinels. All end with this process, even after kill -9. */
export function startSentinel(
  binary: RedisBinary,
  options?: SentinelFleetOptions,
): Promise<RunningSentinel>;
