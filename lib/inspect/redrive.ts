import { textProblem } from '../core/message/names.js';
import { describeValue, unknownOptions } from '../core/message/options.js';
import type { TopicName } from '../core/message/topic.js';
import { type Clock, sleep } from '../core/runtime/clock.js';
import type { DeadLetterStore } from '../core/store/dead-letter-store.js';
import {
  type DeadLetter,
  type DeadLetterFilter,
  type DeadLetters,
  isWanted,
} from './dead-letters.js';
import { unawaited } from '../core/runtime/thenable.js';
import type { Groups } from './groups.js';
import { functionProblem, groupProblem, type Problem, refuse, topicNameProblem } from './input.js';

export interface RedriveOptions {
  /** Which ones. Default: all. */
  filter?: DeadLetterFilter | undefined;
  /** Handle them even if an idempotent handler has done what their dedup keys stand for. Default false. */
  force?: boolean | undefined;
  /**
   * Those keys, when `idempotent.key` makes them, at once: an answer that is no key ends it there. Default: the `dedupId` of
   * each message, else its id.
   */
  dedupKey?: ((letter: DeadLetter) => string) | undefined;
  /** At most so many a second, so that what failed before does not come back at once. Default: as fast as it goes. */
  perSecond?: number | undefined;
  /** Stops after the one under way. */
  signal?: AbortSignal | undefined;
  /** Called after each dead letter that was looked at. */
  onProgress?: ((progress: RedriveProgress) => void) | undefined;
}

export interface RedriveProgress {
  /** Appended again for the group. */
  redriven: number;
  /** Left alone by the filter. */
  skipped: number;
  /** Somebody else redrove or deleted it meanwhile, or there is no message in it. */
  gone: number;
}

export interface RedriveResult extends RedriveProgress {
  /** `stopped` by the signal: others may be left. */
  state: 'finished' | 'stopped';
}

/** Redrives many dead letters, one after the other. */
export class Redrive {
  private readonly store: DeadLetterStore;
  private readonly deadLetters: DeadLetters;
  private readonly groups: Groups;
  private readonly clock: Clock;

  constructor(options: {
    store: DeadLetterStore;
    deadLetters: DeadLetters;
    groups: Groups;
    clock: Clock;
  }) {
    this.store = options.store;
    this.deadLetters = options.deadLetters;
    this.groups = options.groups;
    this.clock = options.clock;
  }

  async run(name: TopicName, group: string, options: RedriveOptions): Promise<RedriveResult> {
    refuse('redriveDeadLetters', [
      topicNameProblem(name),
      groupProblem(group),
      ...redriveProblems(options),
    ]);
    const { filter = () => true, force, dedupKey, perSecond, signal, onProgress } = options;
    const info = await this.groups.existing(name, group, 'redriveDeadLetters');
    const progress: RedriveProgress = { redriven: 0, skipped: 0, gone: 0 };
    let nextAt = -Infinity;
    for await (const { letter, ref, id } of this.deadLetters.present(info, group)) {
      if (signal?.aborted) return { ...progress, state: 'stopped' };
      if (isWanted(letter, filter)) {
        if (perSecond !== undefined) {
          await this.until(nextAt, signal);
          if (signal?.aborted) return { ...progress, state: 'stopped' };
          nextAt = Math.max(nextAt, this.clock.monotonic()) + 1_000 / perSecond;
        }
        if (force) await this.deadLetters.forgetWork(letter, keyOf(letter, dedupKey));
        const offset = await this.store.redrive(ref, id);
        progress[offset === undefined ? 'gone' : 'redriven'] += 1;
      } else progress.skipped += 1;
      onProgress?.({ ...progress });
    }
    return { ...progress, state: 'finished' };
  }

  private async until(dueAt: number, signal: AbortSignal | undefined): Promise<void> {
    const waitMs = dueAt - this.clock.monotonic();
    if (waitMs > 0) await sleep(this.clock, waitMs, signal);
  }
}

/** @throws InvalidInputError for what is no key, such as a promise: another work would be forgotten, and this one skipped. */
function keyOf(
  letter: DeadLetter,
  dedupKey: ((letter: DeadLetter) => unknown) | undefined,
): string | undefined {
  const answered = dedupKey?.(letter);
  if (answered === undefined) return undefined;
  unawaited(answered);
  refuse('dedupKey of dead letters', [textProblem('dedupKey', answered)]);
  return answered as string;
}

function redriveProblems(options: RedriveOptions): Problem[] {
  const problems = unknownOptions(options, [
    ...['filter', 'force', 'dedupKey', 'perSecond', 'signal', 'onProgress'],
  ]);
  if (typeof options !== 'object' || options === null) return problems;
  const { filter, dedupKey, perSecond, signal, onProgress } = options;
  return [
    ...problems,
    functionProblem('filter', filter),
    functionProblem('dedupKey', dedupKey),
    functionProblem('onProgress', onProgress),
    perSecond === undefined ? undefined : positiveProblem('perSecond', perSecond),
    signal === undefined || signal instanceof AbortSignal
      ? undefined
      : 'signal must be an AbortSignal',
  ];
}

function positiveProblem(name: string, value: unknown): Problem {
  if (typeof value === 'number' && Number.isFinite(value) && value > 0) return undefined;
  return `${name} must be a number above 0, got: ${describeValue(value)}`;
}
