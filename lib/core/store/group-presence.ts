/** A consumer group, and for how long it has had no member, by the store's clock. */
export interface SeenGroup {
  group: string;
  idleMs: number;
}

/** When consumer groups last had members: a group that nobody consumes keeps messages from being trimmed. */
export interface GroupPresence {
  /**
   * Note that these groups of the topic have members now; names of others are ignored. A group counts from when it was noted
   * or joined last, or from now when it never was. Safe to repeat.
   *
   * @returns every group of the topic, sorted by name; none when there is no such topic.
   */
  note(topic: string, present: readonly string[]): Promise<SeenGroup[]>;
}
