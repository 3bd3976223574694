import type { Keys } from '../../../lib/redis/keys.js';
import type { RedisStores } from '../../../lib/redis/redis-stores.js';
import { RedisTopicRegistry } from '../../../lib/redis/redis-topic-registry.js';

/**
 * A registry that calls `before` ahead of its nth command, and tells whether it came to that. With `dies` this command and all
 * that follow are never sent.
 */
export function interruptedRegistry(options: {
  stores: RedisStores;
  keys: Keys;
  nth: number;
  before: 'dies' | (() => Promise<unknown>);
}): { registry: RedisTopicRegistry; happened(): boolean } {
  const { stores, keys, nth, before } = options;
  const { redis, testTimeMs } = stores.topics['host'];
  let count = 0;
  const watched = new Proxy(redis, {
    get(target, name, receiver) {
      const value: unknown = Reflect.get(target, name, receiver);
      if (typeof value !== 'function') return value;
      return async (...args: unknown[]) => {
        const number = count++;
        if (before === 'dies') {
          if (number >= nth) throw new Error('killed');
        } else if (number === nth) await before();
        return Reflect.apply(value, target, args) as unknown;
      };
    },
  });
  const host = { redis: watched, testTimeMs } as never;
  return { registry: new RedisTopicRegistry({ host, keys }), happened: () => count > nth };
}
