import type { Keys } from '../../../lib/redis/keys.js';
import type { RedisStores } from '../../../lib/redis/redis-stores.js';
import { RedisTopicRegistry } from '../../../lib/redis/redis-topic-registry.js';

/** A registry that calls `before` ahead of its nth command, and tells whether it came to that. */
export function interruptedRegistry(options: {
  stores: RedisStores;
  keys: Keys;
  nth: number;
  before(): Promise<unknown>;
}): { registry: RedisTopicRegistry; happened(): boolean } {
  const { stores, keys, nth, before } = options;
  const { redis, testTimeMs } = stores.topics['host'];
  let count = 0;
  const watched = new Proxy(redis, {
    get(target, name, receiver) {
      const value: unknown = Reflect.get(target, name, receiver);
      if (typeof value !== 'function') return value;
      return async (...args: unknown[]) => {
        if (count++ === nth) await before();
        return Reflect.apply(value, target, args) as unknown;
      };
    },
  });
  const host = { redis: watched, testTimeMs } as never;
  return { registry: new RedisTopicRegistry({ host, keys }), happened: () => count > nth };
}
