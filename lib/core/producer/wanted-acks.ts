import type { Acks, AcksLevel } from '../message/acks.js';
import type { AcksReached, AcksWanted } from '../store/message-log.js';

/** How long before its deadline a send hears how far it came, but at most this share of its time. */
const ANSWERED_BEFORE = { ms: 100, share: 0.2 };

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
    const leftMs = acksTime(deadline - now);
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

/** Whoever has so much time hears within it how far it came, instead of nothing. */
export function acksTime(leftMs: number): number {
  return Math.max(1, leftMs - Math.min(ANSWERED_BEFORE.ms, leftMs * ANSWERED_BEFORE.share));
}

/** What messages that share one fate must be waited for; undefined when none asked for anything. */
export interface SharedAcks {
  readonly disk: boolean;
  readonly replicas: number;
  /** The longest that was said; undefined: as long as the call may take. */
  readonly timeoutMs: number | undefined;
}

export function strongestAcks(all: readonly { acks?: Acks | undefined }[]): SharedAcks | undefined {
  let shared: SharedAcks | undefined;
  for (const { acks } of all) {
    if (!asksForMore(acks)) continue;
    const one = sharedOf(acks);
    shared = shared ? stronger(shared, one) : one;
  }
  return shared;
}

function sharedOf(acks: Exclude<Acks, 'memory'>): SharedAcks {
  if (acks === 'disk') return { disk: true, replicas: 0, timeoutMs: undefined };
  return { disk: false, replicas: acks.replicas, timeoutMs: acks.timeoutMs };
}

function stronger(a: SharedAcks, b: SharedAcks): SharedAcks {
  const isOpen = a.timeoutMs === undefined || b.timeoutMs === undefined;
  return {
    disk: a.disk || b.disk,
    replicas: Math.max(a.replicas, b.replicas),
    timeoutMs: isOpen ? undefined : Math.max(a.timeoutMs!, b.timeoutMs!),
  };
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

/** What to tell a sender whose `acks` were reached. */
export function levelOf(acks: Acks | undefined): AcksLevel {
  return typeof acks === 'object' ? { replicas: acks.replicas } : (acks ?? 'memory');
}

export function isReached(
  wanted: Pick<AcksWanted, 'disk' | 'replicas'>,
  { disk, replicas }: AcksReached,
): boolean {
  return (disk || !wanted.disk) && replicas >= wanted.replicas;
}

/** What was not reached, and what may be the reason, to go on after "it is in the memory of the server, but". */
export function missedAcks(
  wanted: Pick<AcksWanted, 'disk' | 'replicas'>,
  reached: AcksReached | undefined,
): string {
  const { replicas = 0, connected } = reached ?? {};
  if (replicas >= wanted.replicas) return 'its disk did not confirm it in time';
  const missed = `${replicas} of ${wanted.replicas} replicas confirmed it in time`;
  if (connected === undefined || connected >= wanted.replicas) return missed;
  return `${missed} (${connected === 0 ? 'no replica is' : `only ${connected} of them ${connected === 1 ? 'is' : 'are'}`} connected to it)`;
}
