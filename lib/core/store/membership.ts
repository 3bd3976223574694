export interface MemberBeat {
  /** Name of the process: also the consumer name of its subscriptions. */
  member: string;
  /** Unix ms by the store's clock of its last beat. Compare it with itself over time, never with another clock. */
  beatAt: number;
}

/** Which processes are alive. */
export interface Membership {
  /** "I am alive." Answers the store's time and everybody's last beat, including members that fell silent. */
  beat(member: string): Promise<{ now: number; members: MemberBeat[] }>;

  /** The member is gone for good (after a clean stop, or once all its deliveries were taken over). */
  leave(member: string): Promise<void>;
}
