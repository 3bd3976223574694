import { MalformedMessageError } from './errors.js';
import type { MessageId } from './message-id.js';
import { decodeReply, encodeReply } from './reply-packet.js';

/** What finally became of a message in one consumer group. */
export type GroupOutcome =
  /** Its handler returned, or had handled it before. */
  | { readonly state: 'handled' }
  | { readonly state: 'dead-lettered'; readonly reason: string }
  /** It used up its attempts in an ordered subscription that leaves such messages out (`onExhausted: 'skip'`). */
  | { readonly state: 'skipped'; readonly reason: string }
  /** The group's filter does not want it. */
  | { readonly state: 'filtered' };

/** Tells a sender what became of its message in one group. */
export interface ReceiptPacket {
  readonly messageId: MessageId;
  readonly group: string;
  readonly outcome: GroupOutcome;
}

export function encodeReceipt({ messageId, group, outcome }: ReceiptPacket): Buffer {
  const bytes = JSON.stringify({ group, outcome: bounded(outcome) });
  return encodeReply({ requestId: messageId, seq: 0, kind: 'value', codec: 'json', bytes });
}

/** In characters; a dead letter has no longer one either. */
export const LONGEST_REASON = 1_000;

const STATES: readonly unknown[] = ['handled', 'dead-lettered', 'skipped', 'filtered'];

/** @throws MalformedMessageError */
export function decodeReceipt(packet: Buffer): ReceiptPacket {
  const { requestId: messageId, bytes } = decodeReply(packet);
  let parsed: unknown;
  try {
    parsed = JSON.parse(bytes.toString());
  } catch (error) {
    throw Object.assign(new MalformedMessageError('A receipt that is no JSON'), { cause: error });
  }
  const { group, outcome } = (parsed ?? {}) as Partial<ReceiptPacket>;
  if (typeof group !== 'string' || !STATES.includes(outcome?.state))
    throw new MalformedMessageError('A receipt that tells no outcome of a group');
  return { messageId, group, outcome: bounded(outcome!) };
}

/** No more of it than is ours, and no longer. */
function bounded(outcome: GroupOutcome): GroupOutcome {
  if (outcome.state !== 'dead-lettered' && outcome.state !== 'skipped')
    return { state: outcome.state };
  return { state: outcome.state, reason: String(outcome.reason).slice(0, LONGEST_REASON) };
}
