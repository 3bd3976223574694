import type { MemberBeat, Membership } from '../core/store/membership.js';
import type { MemoryGate } from './memory-gate.js';

const MOST_SHOWN = 10_000;

/** Members of one list by their last beat. */
export class MemoryMembership implements Membership {
  private readonly list: () => Map<string, number>;
  private readonly gate: MemoryGate;

  constructor(list: () => Map<string, number>, gate: MemoryGate) {
    this.list = list;
    this.gate = gate;
  }

  beat(member: string): Promise<{ now: number; members: MemberBeat[] }> {
    return this.gate.call(() => {
      const now = this.gate.clock.now();
      this.list().set(member, now);
      const members = [...this.list()].map(([name, beatAt]) => ({ member: name, beatAt }));
      members.sort((a, b) => a.beatAt - b.beatAt);
      return { now, members: members.slice(0, MOST_SHOWN) };
    });
  }

  lastBeats(members: readonly string[]): Promise<MemberBeat[]> {
    return this.gate.call(() =>
      members.flatMap((member) => {
        const beatAt = this.list().get(member);
        return beatAt === undefined ? [] : [{ member, beatAt }];
      }),
    );
  }

  leave(member: string): Promise<void> {
    return this.gate.call(() => {
      this.list().delete(member);
    });
  }
}
