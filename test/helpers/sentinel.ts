import { setTimeout as pass } from 'node:timers/promises';
import { Redis } from 'ioredis';
import {
  type RunningSentinel,
  type SentinelFleetOptions,
  startSentinel as start,
} from '../../tools/redis/sentinel.mjs';
import { findRedis, HOW_TO_INSTALL } from '../../tools/with-redis.mjs';
import { expectNoRefusals } from './least-user/refusals.js';
import type { TestRedis } from './redis.js';

export type TestSentinel = RunningSentinel;

/** A private master with two replicas and three Sentinels. */
export async function startSentinel(options?: SentinelFleetOptions): Promise<TestSentinel> {
  const binary = findRedis();
  if (!binary) throw new Error(`No Redis found. Set REDIS_BIN, or ${HOW_TO_INSTALL}.`);
  const fleet = await start(binary, options);
  for (const node of fleet.nodes) expectNoRefusals(node);
  return fleet;
}

/** Resolves once one of these takes writes, with it. */
export async function promoted(...followers: readonly TestRedis[]): Promise<TestRedis> {
  const clients = followers.map(({ port }) => new Redis(port, '127.0.0.1'));
  for (;;) {
    const roles = await Promise.all(clients.map((client) => client.role()));
    const at = roles.findIndex(([role]) => role === 'master');
    if (at >= 0) {
      for (const client of clients) client.disconnect();
      return followers[at]!;
    }
    await pass(20);
  }
}
