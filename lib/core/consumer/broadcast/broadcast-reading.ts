import type { Stores } from '../../store/stores.js';
import { TopicFetch, type TopicFetchOptions } from '../topic-fetch.js';
import { LogFollower } from './log-follower.js';

/** What a broadcast reads with, over all of its topics. */
export interface BroadcastReading {
  readonly fetch: TopicFetch;
  readonly follower: LogFollower;
}

export function broadcastReading(
  options: Omit<TopicFetchOptions, 'reader' | 'stores'> & { stores: Stores },
): BroadcastReading {
  const follower = new LogFollower({ log: options.stores.log });
  return { follower, fetch: new TopicFetch({ ...options, reader: follower }) };
}
