import { describeValue, integerProblem } from '../message/options.js';

/** A group without members, as whoever decides about it sees it. */
export interface IdleGroupFacts {
  topic: string;
  group: string;
  idleMs: number;
}

/** What is done about groups that nobody consumes: they keep messages from being trimmed. */
export interface IdleGroupSettings {
  /** A group that has had no member for this long is reported (event `group-idle`). At least 30 min; default 7 days. */
  afterMs: number;
  /**
   * Whether it is removed then, with its progress, retries and dead letters, as by `MessageAdmin.deleteGroup`; messages that
   * only it had not settled are trimmed afterwards. Or a function that says so of each, at once; where it throws, or answers
   * a promise, nothing is done, and it is asked again. The answer of any process of the namespace that uses the topic
   * counts. Default false.
   */
  expire: boolean | ((idle: IdleGroupFacts) => boolean);
}

export const DEFAULT_IDLE_GROUPS: IdleGroupSettings = { afterMs: 7 * 86_400_000, expire: false };

export function idleGroupProblems({ afterMs, expire }: IdleGroupSettings): (string | undefined)[] {
  return [
    integerProblem('idleGroups.afterMs', afterMs, { min: 1_800_000 }),
    typeof expire === 'boolean' || typeof expire === 'function'
      ? undefined
      : `idleGroups.expire must be true, false or a function, got: ${describeValue(expire satisfies never)}`,
  ];
}
