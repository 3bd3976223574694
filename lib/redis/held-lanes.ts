import type { GroupQueue } from '../core/store/delivery-store.js';
import { answer } from './errors.js';
import type { Keys } from './keys.js';
import type { ScriptHost } from './script.js';

/** Lanes of the group that hold something; nothing but their list knows their names. */
export function heldLanes(
  { host, keys }: { host: ScriptHost; keys: Keys },
  ref: GroupQueue,
): Promise<string[]> {
  const { hold } = keys.groupQueue(ref);
  return answer({ operation: 'HKEYS', key: hold }, host.redis.hkeys(hold));
}
