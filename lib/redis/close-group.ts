import type { GroupQueue } from '../core/store/delivery-store.js';
import { heldLanes } from './held-lanes.js';
import type { Keys } from './keys.js';
import type { ScriptHost } from './script.js';
import { scripts } from './scripts.js';

/**
 * Forgets a group in one queue, with all that its lanes hold: also what an owner that still lives gives them meanwhile.
 *
 * @param options.born Name for the life of the topic that ends with the group: what another life has begun there stays.
 */
export async function closeGroup(
  ref: GroupQueue,
  { host, keys, born = '' }: { host: ScriptHost; keys: Keys; born?: string },
): Promise<void> {
  const ofGroup = keys.groupQueue(ref);
  for (;;) {
    const lanes = await heldLanes({ host, keys }, ref);
    const [word] = await scripts.closeGroup.run(host, {
      keys: ofGroup,
      moreKeys: lanes.map((lane) => ofGroup.held(lane)),
      args: { group: ref.group, born },
      moreArgs: lanes,
    });
    if (word !== 'again') return;
  }
}
