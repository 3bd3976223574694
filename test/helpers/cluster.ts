import { Cluster } from 'ioredis';
import {
  type ClusterFleetOptions,
  type RunningCluster,
  startCluster as start,
} from '../../tools/redis/cluster.mjs';
import { findRedis, HOW_TO_INSTALL } from '../../tools/with-redis.mjs';
import { expectNoRefusals } from './least-user/refusals.js';

export type TestCluster = RunningCluster;

/** A private cluster for tests that break its nodes; the others share one (`sharedServer('cluster')`). */
export async function startCluster(options?: ClusterFleetOptions): Promise<TestCluster> {
  const binary = findRedis();
  if (!binary) throw new Error(`No Redis found. Set REDIS_BIN, or ${HOW_TO_INSTALL}.`);
  const cluster = await start(binary, options);
  for (const node of cluster.nodes) expectNoRefusals(node);
  return cluster;
}

/** What `connection` of RedisStores must be for these nodes (`host:port` with commas). */
export function clusterConnection(nodes: string): { cluster: string[] } {
  return { cluster: nodes.split(',') };
}

/** For programs of their own: a URL, or the nodes of a cluster. */
export function connectionTo(url: string): string | { cluster: string[] } {
  return url.includes(',') ? clusterConnection(url) : url;
}

/** A client of the cluster for what is done behind the library's back. */
export function clusterOperator(nodes: string): Cluster {
  const operator = new Cluster(
    nodes.split(',').map((node) => ({
      host: node.split(':')[0]!,
      port: Number(node.split(':')[1]),
    })),
  );
  operator.on('error', () => {}); // nodes die in these tests
  return operator;
}
