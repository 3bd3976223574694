import { InvalidOptionsError } from '../../core/message/errors.js';
import { integerProblem } from '../../core/message/options.js';
import { systemClock } from '../../core/runtime/clock.js';

/** Far beyond a COMMIT that waits for a disk or a replica; a client that is told nothing waits for ever. */
const DEFAULT_MS = 30_000;

export interface CommitTimeout {
  /**
   * How long the answer to COMMIT is waited for. After it the connection is given up and its outcome counts as unknown: the
   * marker is asked for on another one. The answer to ROLLBACK is waited for as long. Default 30 000.
   */
  commitTimeoutMs?: number;
}

/** @throws InvalidOptionsError */
export function commitTimeoutOf({ commitTimeoutMs = DEFAULT_MS }: CommitTimeout): number {
  const problem = integerProblem('commitTimeoutMs', commitTimeoutMs, { min: 1, max: 3_600_000 });
  if (problem) throw new InvalidOptionsError('participant', [problem]);
  return commitTimeoutMs;
}

/**
 * The answer to a COMMIT or ROLLBACK that was sent, or an error when none came in time. Between client and server a wire may be
 * cut without a word to either; TCP itself notices after minutes or hours.
 */
export async function answerInTime<Answer>({
  what,
  asked,
  timeoutMs,
}: {
  what: 'COMMIT' | 'ROLLBACK';
  asked: Promise<Answer>;
  timeoutMs: number;
}): Promise<Answer> {
  let cancel = (): void => undefined;
  const late = new Promise<never>((_, reject) => {
    cancel = systemClock.after(timeoutMs, () =>
      reject(
        new Error(`${what} was not answered within ${timeoutMs} ms; its connection is given up`),
      ),
    );
  });
  try {
    return await Promise.race([asked, late]);
  } finally {
    cancel();
  }
}
