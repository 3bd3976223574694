import type { GroupQueue } from '../core/store/delivery-store.js';
import { answer } from './errors.js';
import type { Keys } from './keys.js';
import type { ScriptHost } from './script.js';

interface Place {
  host: ScriptHost;
  keys: Keys;
}

/** Lanes of the group that hold something; nothing but their list knows their names. */
export function heldLanes({ host, keys }: Place, ref: GroupQueue): Promise<string[]> {
  const { hold } = keys.groupQueue(ref);
  return answer({ operation: 'HKEYS', key: hold }, host.redis.hkeys(hold));
}

/** What these lanes hold. */
export async function heldKeys(place: Place, ref: GroupQueue): Promise<string[]> {
  const ofGroup = place.keys.groupQueue(ref);
  return (await heldLanes(place, ref)).map((lane) => ofGroup.held(lane));
}
