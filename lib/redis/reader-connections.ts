import { addressOf } from './cluster-client.js';
import type { ClusterNodes } from './cluster-nodes.js';
import { Connection } from './connection.js';
import type { ConnectionPlan } from './connection-options.js';

/** A connection for reads that wait. */
export interface ReaderConnection {
  readonly connection: Connection;
  /** A key it reads. In a cluster it leads to the node that has it. */
  readonly key: string;
}

/** One connection for each blocking reader. In a cluster it goes where its key is. */
export class ReaderConnections {
  private readonly plan: ConnectionPlan;
  private readonly nodes: ClusterNodes | undefined;
  private readonly readers = new Set<ReaderConnection>();

  constructor(options: { plan: ConnectionPlan; nodes: ClusterNodes | undefined }) {
    this.plan = options.plan;
    this.nodes = options.nodes;
  }

  open(key: string): ReaderConnection {
    const { nodes, plan } = this;
    const connection = new Connection({
      make: () => (nodes ? nodes.reader(key) : plan.make('blocking')),
      target: plan.target,
    });
    const reader = { connection, key };
    this.readers.add(reader);
    return reader;
  }

  release(reader: ReaderConnection): void {
    this.readers.delete(reader);
    reader.connection.close();
  }

  /** It is known anew which node has what: readers whose keys are elsewhere now go there. */
  followKeys(): void {
    for (const { connection, key } of this.readers)
      if (this.nodes!.nodeOf(key) !== addressOf(connection.redis.options)) connection.replace();
  }

  close(): void {
    for (const { connection } of this.readers) connection.close();
    this.readers.clear();
  }
}
