import type { MemberBeat, Membership } from '../core/store/membership.js';
import type { MemoryGate } from './memory-gate.js';
import type { MemoryState } from './memory-state.js';

export class MemoryMembership implements Membership {
  private readonly state: MemoryState;
  private readonly gate: MemoryGate;

  constructor(state: MemoryState, gate: MemoryGate) {
    this.state = state;
    this.gate = gate;
  }

  beat(member: string): Promise<{ now: number; members: MemberBeat[] }> {
    return this.gate.call(() => {
      const now = this.gate.clock.now();
      this.state.members.set(member, now);
      return {
        now,
        members: [...this.state.members].map(([name, beatAt]) => ({ member: name, beatAt })),
      };
    });
  }

  leave(member: string): Promise<void> {
    return this.gate.call(() => {
      this.state.members.delete(member);
    });
  }
}
