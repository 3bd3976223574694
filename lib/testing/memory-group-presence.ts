import type { GroupPresence, SeenGroup } from '../core/store/group-presence.js';
import type { MemoryGate } from './memory-gate.js';
import type { MemoryState } from './memory-state.js';

export class MemoryGroupPresence implements GroupPresence {
  private readonly state: MemoryState;
  private readonly gate: MemoryGate;

  constructor(state: MemoryState, gate: MemoryGate) {
    this.state = state;
    this.gate = gate;
  }

  note(topic: string, present: readonly string[]): Promise<SeenGroup[]> {
    return this.gate.call(() => {
      const now = this.gate.clock.now();
      const groups = [...(this.state.topics.get(topic)?.groups ?? [])];
      for (const [group, state] of groups)
        if (present.includes(group)) state.seenAt = now;
        else state.seenAt ??= now;
      return groups
        .map(([group, { seenAt }]) => ({ group, idleMs: Math.max(0, now - seenAt!) }))
        .sort((a, b) => (a.group < b.group ? -1 : 1));
    });
  }
}
