import type { PausedGroup, PauseStore } from '../core/store/pause-store.js';
import type { MemoryGate } from './memory-gate.js';
import type { MemoryState } from './memory-state.js';

export class MemoryPauseStore implements PauseStore {
  private readonly state: MemoryState;
  private readonly gate: MemoryGate;

  constructor(state: MemoryState, gate: MemoryGate) {
    this.state = state;
    this.gate = gate;
  }

  pause(paused: PausedGroup): Promise<boolean> {
    return this.gate.call(() => {
      const key = keyOf(paused);
      if (this.state.paused.has(key)) return false;
      this.state.paused.set(key, { ...paused });
      return true;
    });
  }

  resume(paused: Pick<PausedGroup, 'topic' | 'group'>): Promise<boolean> {
    return this.gate.call(() => this.state.paused.delete(keyOf(paused)));
  }

  list(): Promise<PausedGroup[]> {
    return this.gate.call(() => {
      const keys = [...this.state.paused.keys()].sort();
      return keys.map((key) => this.state.paused.get(key)!);
    });
  }
}

function keyOf({ topic, group }: Pick<PausedGroup, 'topic' | 'group'>): string {
  return `${topic} ${group}`;
}
