export interface MemberBeat {
  /** Name of the process: also the consumer name of its subscriptions. */
  member: string;
  /** Unix ms by the store's clock of its last beat. Compare it with itself over time, never with another clock. */
  beatAt: number;
}

/** Which processes are alive. */
export interface Membership {
  /**
   * "I am alive." Answers the store's time and everybody's last beat, including members that fell silent. Of more than
   * 10 000, those whose last beats are the oldest.
   */
  beat(member: string): Promise<{ now: number; members: MemberBeat[] }>;

  /** The last beats of those of `members` that have not left, silent ones included, in the order asked for; strangers are left out. */
  lastBeats(members: readonly string[]): Promise<MemberBeat[]>;

  /** The member is gone for good (after a clean stop, or once all its deliveries were taken over). */
  leave(member: string): Promise<void>;
}
