/** A subscription as members of a consumer group know it: a topic, or a pattern of topics. */
export interface PausedGroup {
  readonly topic: string;
  readonly group: string;
  /** When it was paused, Unix ms by the clock of whoever did it. */
  readonly since: number;
}

/** Which consumer groups are paused in every process. Kept until somebody resumes them. */
export interface PauseStore {
  /** Safe to repeat. @returns false when it was paused already: it keeps its time. */
  pause(paused: PausedGroup): Promise<boolean>;

  /** Safe to repeat. @returns false when it was not paused. */
  resume(group: Pick<PausedGroup, 'topic' | 'group'>): Promise<boolean>;

  /** All of them, sorted by topic and group. */
  list(): Promise<PausedGroup[]>;
}
