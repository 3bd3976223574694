import type { Agenda } from '../core/store/agenda.js';
import type { MemoryGate } from './memory-gate.js';
import type { AgendaState, MemoryState } from './memory-state.js';

export class MemoryAgenda implements Agenda {
  private readonly state: MemoryState;
  private readonly gate: MemoryGate;
  private readonly agenda: AgendaState;

  /** `agenda`: the one for what anybody can do, by default. */
  constructor(state: MemoryState, gate: MemoryGate, agenda: AgendaState = state.agenda) {
    this.state = state;
    this.gate = gate;
    this.agenda = agenda;
  }

  note(work: string, at: number): Promise<void> {
    return this.gate.call(() => {
      const noted = this.agenda.get(work);
      // A version is never used twice, so that a late `finish` cannot take a new note for the one it took.
      const version = String(this.state.nextSerial());
      this.agenda.set(work, { at: Math.min(at, noted?.at ?? at), version });
    });
  }

  take(options: { limit: number; leaseMs: number }): Promise<{
    now: number;
    taken: { work: string; version: string }[];
    nextAt: number | null;
  }> {
    return this.gate.call(() => {
      const now = this.gate.clock.now();
      const inOrder = [...this.agenda].sort(([, a], [, b]) => a.at - b.at);
      const due = inOrder.filter(([, { at }]) => at <= now).slice(0, options.limit);
      const nextAt = inOrder[due.length]?.[1].at ?? null;
      for (const [, entry] of due) entry.at = now + options.leaseMs;
      return { now, taken: due.map(([work, { version }]) => ({ work, version })), nextAt };
    });
  }

  finish(work: string, version: string, nextAt: number | null): Promise<void> {
    return this.gate.call(() => {
      const { agenda } = this;
      const noted = agenda.get(work);
      if (noted && noted.version !== version) noted.at = this.gate.clock.now();
      else if (nextAt === null) agenda.delete(work);
      else agenda.set(work, { at: nextAt, version });
    });
  }

  list(): Promise<string[]> {
    return this.gate.call(() => [...this.agenda.keys()]);
  }
}
