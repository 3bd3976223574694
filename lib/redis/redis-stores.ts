import { Redis } from 'ioredis';
import type { Acks } from '../core/message/acks.js';
import { silentLogger, steadyLogger } from '../core/runtime/logger.js';
import type { StoreHealth } from '../core/runtime/store-health.js';
import type { Availability, Stores } from '../core/store/stores.js';
import { AckedQueues } from './acked-queues.js';
import { planConnection, type RedisStoresOptions } from './connection-options.js';
import { Connections } from './connections.js';
import { Keys } from './keys.js';
import { RedisAgenda } from './redis-agenda.js';
import { RedisDeadLetterStore } from './redis-dead-letter-store.js';
import { RedisDedupStore } from './redis-dedup-store.js';
import { RedisDeliveryStore } from './redis-delivery-store.js';
import { RedisGroupPresence } from './redis-group-presence.js';
import { RedisHalfMessageStore } from './redis-half-message-store.js';
import { RedisMembership } from './redis-membership.js';
import { RedisMessageLog } from './redis-message-log.js';
import { RedisQueueLeaseStore } from './redis-queue-lease-store.js';
import { RedisPauseStore } from './redis-pause-store.js';
import { RedisPermitStore } from './redis-permit-store.js';
import { RedisRateLimitStore } from './redis-rate-limit-store.js';
import { RedisRecurringStore } from './redis-recurring-store.js';
import { RedisReplyStore } from './redis-reply-store.js';
import { RedisScheduleStore } from './redis-schedule-store.js';
import { RedisTopicRegistry } from './redis-topic-registry.js';

/**
 * Storage on one Redis (7.0 or newer, Valkey 8 or newer), directly, through Sentinel, or as a cluster.
 *
 * Connects on `open`, or with the first call.
 *
 * @throws InvalidOptionsError from the constructor, with every problem at once.
 */
export class RedisStores implements Stores {
  readonly topics: RedisTopicRegistry;
  readonly log: RedisMessageLog;
  readonly schedule: RedisScheduleStore;
  readonly halves: RedisHalfMessageStore;
  readonly deliveries: RedisDeliveryStore;
  readonly deadLetters: RedisDeadLetterStore;
  readonly leases: RedisQueueLeaseStore;
  readonly recurring: RedisRecurringStore;
  readonly paused: RedisPauseStore;
  readonly rates: RedisRateLimitStore;
  readonly permits: RedisPermitStore;
  readonly dedup: RedisDedupStore;
  readonly agenda: RedisAgenda;
  readonly members: RedisMembership;
  readonly presence: RedisGroupPresence;
  readonly replies: RedisReplyStore;
  readonly availability: Availability;
  private readonly connections: Connections;
  private readonly acked: AckedQueues;
  private readonly fitness: { allowEviction: boolean; anyKey: string };
  /** How many replicas sends will wait for. */
  private replicas = 0;

  constructor(options: RedisStoresOptions) {
    const plan = planConnection(options, (clientOptions) => new Redis(clientOptions));
    const keys = new Keys({ namespace: options.namespace });
    const logger = steadyLogger(options.logger ?? silentLogger);
    for (const warning of plan.warnings) logger.warn(warning);
    const connections = new Connections({ plan, logger, now: options.now });
    this.connections = connections;
    this.availability = connections;
    this.fitness = { allowEviction: options.allowEviction ?? false, anyKey: keys.topics };

    const host = connections;
    this.topics = new RedisTopicRegistry({ host, keys });
    this.acked = new AckedQueues({ connections, keys });
    this.log = new RedisMessageLog({ connections, keys, acked: this.acked });
    this.schedule = new RedisScheduleStore({ host, keys });
    this.halves = new RedisHalfMessageStore({ host, keys, acked: this.acked });
    this.deliveries = new RedisDeliveryStore({ connections, keys });
    this.deadLetters = new RedisDeadLetterStore({ host, keys });
    this.leases = new RedisQueueLeaseStore({ connections, keys });
    this.recurring = new RedisRecurringStore({ host, key: keys.recurring });
    this.paused = new RedisPauseStore({ host, key: keys.paused });
    this.rates = new RedisRateLimitStore({ host, keys });
    this.permits = new RedisPermitStore({ host, keys });
    this.dedup = new RedisDedupStore({ connections, keys });
    this.agenda = new RedisAgenda({ host, keys: keys.agenda });
    this.members = new RedisMembership({ host, key: keys.members });
    this.presence = new RedisGroupPresence({ host, keys });
    this.replies = new RedisReplyStore({ connections, keys });
  }

  async open(timeoutMs: number, wanted?: { acks: Acks }): Promise<void> {
    if (typeof wanted?.acks === 'object') this.replicas = wanted.acks.replicas;
    await this.connections.open(timeoutMs, this.fitness);
    if (wanted) await this.acked.check(wanted.acks);
  }

  health(): Promise<StoreHealth> {
    return this.connections.health({ ...this.fitness, replicas: this.replicas });
  }

  async close(): Promise<void> {
    this.acked.close();
    this.connections.close();
  }
}
