import { randomUUID } from 'node:crypto';
import { encodeFrame } from '../../../lib/core/message/wire-format.js';
import { mintMessageId } from '../../../lib/core/message/message-id.js';
import type { AppendCall, AppendEntry } from '../../../lib/core/store/message-log.js';
import type { RedisStoresOptions } from '../../../lib/redis/connection-options.js';
import { RedisStores } from '../../../lib/redis/redis-stores.js';

/** Stores that are open, in a namespace of their own unless `options` says otherwise. */
export async function openStores(
  url: string,
  options: Partial<RedisStoresOptions> = {},
): Promise<RedisStores> {
  const stores = new RedisStores({ connection: url, namespace: newNamespace(), ...options });
  await stores.open(20_000);
  return stores;
}

export function newNamespace(): string {
  return `t${randomUUID().slice(0, 8)}`;
}

export function frame(body: string): Buffer {
  return encodeFrame({ tag: 'made' }, body, (target, at) => mintMessageId(target, at, Date.now()));
}

export function entries(...bodies: string[]): AppendEntry[] {
  return bodies.map((body) => ({ frame: frame(body) }));
}

/** A producer session on one queue; counts its calls. */
export function session(topic: string, generation: number, queue = 0) {
  const id = randomUUID();
  let number = 0;
  return {
    id,
    call(
      list: readonly AppendEntry[],
      changes: Partial<Pick<AppendCall, 'epoch' | 'number' | 'generation'>> = {},
    ): AppendCall {
      number = changes.number ?? number + 1;
      return { topic, queue, generation, session: id, epoch: 1, entries: list, ...changes, number };
    },
  };
}
