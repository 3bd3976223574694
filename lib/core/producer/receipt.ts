import { RivuletError } from '../message/errors.js';
import type { SendResult } from '../message/message.js';
import { groupProblem } from '../message/names.js';
import { describeValue, integerProblem, unknownOptions } from '../message/options.js';
import type { GroupOutcome } from '../message/receipt-packet.js';

/** Whose end of a message its sender waits for. */
export interface ReceiptWanted {
  /** Consumer groups. */
  groups: readonly string[];
  /** How long to wait after the message is stored, in milliseconds. */
  timeoutMs: number;
}

/** Not every group that was asked for has ended with the message in time. It is stored, and they go on. */
export class ReceiptTimeoutError extends RivuletError {
  readonly code = 'RECEIPT_TIMEOUT';
  /** The publisher confirm. */
  readonly sent: SendResult;
  /** Of the groups that have ended with it. */
  readonly outcomes: Readonly<Record<string, GroupOutcome>>;
  /** Groups that have not, as far as is known. */
  readonly missing: readonly string[];

  constructor(
    sent: SendResult,
    facts: {
      timeoutMs: number;
      outcomes: Readonly<Record<string, GroupOutcome>>;
      /** The missing group, and what its queue says. */
      known: ReadonlyMap<string, string>;
    },
  ) {
    const missing = [...facts.known].map(([group, what]) => `${group} (${what})`).join(', ');
    const ended = Object.entries(facts.outcomes).map(([group, { state }]) => `${group}: ${state}`);
    super(
      `Message ${sent.messageId} to topic "${sent.topic}" is stored, and was not settled within ${facts.timeoutMs} ms by ${missing}${ended.length > 0 ? `; ${ended.join(', ')}` : ''}. It stays with these groups; do not send it again.${sent.duplicate ? ' This send was a duplicate: of what another process sent, or of what was settled before, no receipt comes here.' : ''}`,
    );
    this.sent = sent;
    this.outcomes = facts.outcomes;
    this.missing = [...facts.known.keys()];
  }
}

export function receiptProblems(receipt: unknown): (string | undefined)[] {
  if (typeof receipt !== 'object' || receipt === null)
    return [`receipt must be { groups, timeoutMs }, got: ${describeValue(receipt)}`];
  const { groups, timeoutMs } = receipt as Readonly<Record<string, unknown>>;
  return [
    ...unknownOptions(receipt, ['groups', 'timeoutMs']).map((problem) => `receipt: ${problem}`),
    ...(Array.isArray(groups) && groups.length > 0
      ? groups.map((group) => groupProblem(group, 'each group of receipt'))
      : [
          `receipt.groups must be a list of consumer groups, at least one, got: ${describeValue(groups)}`,
        ]),
    integerProblem('receipt.timeoutMs', timeoutMs, { min: 1, max: 3_600_000 }),
  ];
}
