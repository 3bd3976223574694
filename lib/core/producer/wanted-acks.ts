import type { Acks, AcksLevel } from '../message/acks.js';
import type { AcksReached, AcksWanted } from '../store/message-log.js';

interface AskingSend {
  readonly deadline: number;
  readonly message: { readonly acks: Acks | undefined };
}

/**
 * What a call must wait for so that each of its sends gets what it asked for; undefined when none asked for anything.
 *
 * @param now by the monotonic clock, as the deadlines.
 */
export function wantedAcks(sends: readonly AskingSend[], now: number): AcksWanted | undefined {
  let disk = false;
  let replicas = 0;
  let timeoutMs = 0;
  for (const { message, deadline } of sends) {
    const { acks } = message;
    if (!asksForMore(acks)) continue;
    const leftMs = Math.max(1, deadline - now);
    if (acks === 'disk') {
      disk = true;
      timeoutMs = Math.max(timeoutMs, leftMs);
    } else {
      replicas = Math.max(replicas, acks.replicas);
      timeoutMs = Math.max(timeoutMs, Math.min(acks.timeoutMs ?? leftMs, leftMs));
    }
  }
  return timeoutMs === 0 ? undefined : { disk, replicas, timeoutMs };
}

/** Whether the memory of one server is not enough. */
export function asksForMore(acks: Acks | undefined): acks is Exclude<Acks, 'memory'> {
  return acks !== undefined && acks !== 'memory';
}

/** What to tell a sender that asked for `acks`; undefined when it was not reached. */
export function levelReached(
  acks: Acks | undefined,
  reached: AcksReached | undefined,
): AcksLevel | undefined {
  if (!reached) return asksForMore(acks) ? undefined : 'memory';
  const { disk, replicas } = reached;
  if (typeof acks === 'object') return replicas >= acks.replicas ? { replicas } : undefined;
  if (disk) return 'disk';
  if (acks === 'disk') return undefined;
  return replicas > 0 ? { replicas } : 'memory';
}
