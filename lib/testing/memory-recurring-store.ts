import type { RecurringEntry, RecurringStore } from '../core/store/recurring-store.js';
import type { MemoryGate } from './memory-gate.js';
import type { MemoryState } from './memory-state.js';

export class MemoryRecurringStore implements RecurringStore {
  private readonly state: MemoryState;
  private readonly gate: MemoryGate;

  constructor(state: MemoryState, gate: MemoryGate) {
    this.state = state;
    this.gate = gate;
  }

  put(entry: RecurringEntry): Promise<void> {
    return this.gate.call(() => void this.state.recurring.set(entry.name, { ...entry }));
  }

  find(name: string): Promise<RecurringEntry | undefined> {
    return this.gate.call(() => this.state.recurring.get(name));
  }

  list(): Promise<RecurringEntry[]> {
    return this.gate.call(() =>
      [...this.state.recurring.values()].sort((a, b) => (a.name < b.name ? -1 : 1)),
    );
  }

  advance(name: string, { from, to }: { from: number; to: number }): Promise<boolean> {
    return this.gate.call(() => {
      const entry = this.state.recurring.get(name);
      if (entry?.nextAt !== from) return false;
      this.state.recurring.set(name, { ...entry, nextAt: to });
      return true;
    });
  }

  remove(name: string): Promise<boolean> {
    return this.gate.call(() => this.state.recurring.delete(name));
  }
}
