import type { GroupQueue } from '../core/store/delivery-store.js';
import { answer } from './errors.js';
import type { Keys } from './keys.js';
import type { ScriptHost } from './script.js';

/** What lanes of the group hold; nothing but the list of those lanes knows their names. */
export async function heldKeys(
  { host, keys }: { host: ScriptHost; keys: Keys },
  ref: GroupQueue,
): Promise<string[]> {
  const ofGroup = keys.groupQueue(ref);
  const lanes = await answer(
    { operation: 'HKEYS', key: ofGroup.hold },
    host.redis.hkeys(ofGroup.hold),
  );
  return lanes.map((lane) => ofGroup.held(lane));
}
