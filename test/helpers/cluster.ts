import { Cluster } from 'ioredis';

/** What `connection` of RedisStores must be for these nodes (`host:port` with commas). */
export function clusterConnection(nodes: string): { cluster: string[] } {
  return { cluster: nodes.split(',') };
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
