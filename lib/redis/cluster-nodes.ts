import type { Redis } from 'ioredis';
import type { Logger } from '../core/runtime/logger.js';
import { decodeReplies } from './decode-replies.js';
import { addressOf, type ClusterClient, type NodeAddress } from './cluster-client.js';
import type { ClusterPlan } from './cluster-options.js';
import { quietReadyCheck } from './quiet-ready-check.js';

/** A lost node is a reason to ask the others who has its slots now, but not at every attempt to reach it. */
const REFRESH_PAUSE_MS = 500;

/** Which node has what, as far as the cluster has said so by now. */
export class ClusterNodes {
  private readonly plan: ClusterPlan;
  private readonly logger: Logger;
  private readonly onRefresh: () => void;
  private readonly onNode: () => void;
  private client: ClusterClient | undefined;
  private readonly lost = new Set<NodeAddress>();
  /** Of the map before. */
  private known: ReadonlySet<NodeAddress> = new Set();
  private refreshedAt = -Infinity;

  /** `onRefresh`: slots may be elsewhere now. `onNode`: one was reached, or serves, for the first time or again. */
  constructor(options: {
    plan: ClusterPlan;
    logger: Logger;
    onRefresh: () => void;
    onNode: () => void;
  }) {
    this.plan = options.plan;
    this.logger = options.logger;
    this.onRefresh = options.onRefresh;
    this.onNode = options.onNode;
  }

  /** A client for commands; it takes the place of the one before. */
  connect(): ClusterClient {
    const client = this.plan.connect();
    this.client = client;
    client.on('+node', (node: Redis) => this.watch(client, node));
    client.on('-node', ({ options }: Redis) => {
      if (client === this.client && client.status === 'ready')
        this.nodeIsLost(client, addressOf(options));
    });
    client.on('refresh', () => {
      if (client === this.client) this.follow();
    });
    return client;
  }

  /** For one blocking reader of this key. Until the cluster is known it may lead elsewhere, and is told so. */
  reader(key: string): Redis {
    return this.plan.reader(this.nodeOf(key));
  }

  nodeOf(key: string): NodeAddress {
    return this.client?.nodeOf(key) ?? this.plan.seed;
  }

  /** The connection for commands to the node that a client leads to. */
  beside(client: Redis): Redis | undefined {
    return this.client?.node(addressOf(client.options));
  }

  /** Every node that has slots, by what the cluster said last. */
  get serving(): readonly NodeAddress[] {
    const nodes = (this.client?.slots ?? []).map((serving) => serving?.[0]);
    return [...new Set(nodes)].filter((node) => node !== undefined);
  }

  /** Every primary that is connected, or being connected. */
  get primaries(): readonly Redis[] {
    return this.client?.nodes('master') ?? [];
  }

  /** Asks the cluster where everything is, unless that was done a moment ago. */
  refresh(): void {
    const now = performance.now();
    if (!this.client || now - this.refreshedAt < REFRESH_PAUSE_MS) return;
    this.refreshedAt = now;
    this.client.refreshSlotsCache();
  }

  private follow(): void {
    this.onRefresh();
    const before = this.known;
    this.known = new Set(this.primaries.map(({ options }) => addressOf(options)));
    // Its connection may be one that stayed open while it was a replica, and says nothing new.
    if ([...this.known].some((address) => !before.has(address))) this.onNode();
  }

  private watch(client: ClusterClient, node: Redis): void {
    const address = addressOf(node.options);
    quietReadyCheck(node);
    node.on('connect', () => decodeReplies(node));
    node.once('ready', () => {
      if (client !== this.client) return;
      if (this.lost.delete(address))
        this.logger.log(`Connected to node ${address} of the cluster again`);
      this.onNode();
    });
  }

  private nodeIsLost(client: ClusterClient, address: NodeAddress): void {
    const isInUse = client.slots.some((nodes) => nodes?.[0] === address);
    if (isInUse && !this.lost.has(address)) {
      this.lost.add(address);
      this.logger.warn(
        `Lost node ${address} of the cluster. Its queues wait until it or a replica serves them again; others go on`,
      );
    }
    this.refresh();
  }
}
