import type { MessageLog } from '../store/message-log.js';
import type { WhenFull } from '../store/topic-registry.js';

/** Settled messages give way by the hundred: a queue that stays full would be asked for each call otherwise. */
const SETTLED_AT_ONCE = 256;
const REASON = 'dropped to make room: its topic was full (maxLength, whenFull "drop-oldest")';

/** What may give way to `missing` messages that do not fit into their queue, as its topic says. `now`: Unix ms. */
export function roomRequest(
  whenFull: WhenFull,
  { missing, now }: { missing: number; now: number },
): Parameters<MessageLog['makeRoom']>[1] {
  const note = JSON.stringify({ reason: REASON, at: now, consumer: 'none' });
  return whenFull === 'drop-oldest'
    ? { count: missing, drop: 'oldest', note }
    : { count: Math.max(missing, SETTLED_AT_ONCE), drop: 'settled', note };
}
