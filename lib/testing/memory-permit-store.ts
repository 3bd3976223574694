import type {
  PermitAsk,
  PermitCall,
  PermitReply,
  PermitStore,
} from '../core/store/permit-store.js';
import type { MemoryGate } from './memory-gate.js';
import type { MemoryState } from './memory-state.js';

export class MemoryPermitStore implements PermitStore {
  private readonly state: MemoryState;
  private readonly gate: MemoryGate;

  constructor(state: MemoryState, gate: MemoryGate) {
    this.state = state;
    this.gate = gate;
  }

  take(of: { topic: string; group: string }, call: PermitCall): Promise<PermitReply[]> {
    return this.gate.call(() => call.asks.map((ask) => this.takeOne(of, call, ask)));
  }

  private takeOne(
    { topic, group }: { topic: string; group: string },
    { member, max, leaseMs, patienceMs }: PermitCall,
    { key, held, want }: PermitAsk,
  ): PermitReply {
    const { permits } = this.state;
    const name = `${topic} ${group} ${key}`;
    const now = this.gate.clock.now();
    const { holders, waiters } = permits.get(name) ?? { holders: new Map(), waiters: new Map() };
    for (const [lines, longestMs] of [
      [holders, leaseMs],
      [waiters, patienceMs],
    ] as const)
      for (const [who, line] of lines) {
        // No member says so different a time: the clock was set back, which keeps nobody waiting.
        line.until = Math.min(line.until, now + 4 * longestMs);
        if (line.until <= now) lines.delete(who);
      }
    const since = waiters.get(member)?.since;
    holders.delete(member);
    waiters.delete(member);
    const taken = [...holders.values()].reduce((sum, each) => sum + each.permits, 0);
    const before = [...waiters.values()].filter(
      (each) => !(since !== undefined && each.since >= since),
    );
    const kept = Math.min(held, Math.max(0, max - taken));
    const granted = kept + Math.min(want, Math.max(0, max - taken - kept - before.length));
    const contested = waiters.size > 0;
    if (granted > 0) holders.set(member, { permits: granted, until: now + leaseMs });
    else if (want > 0) waiters.set(member, { since: since ?? now, until: now + patienceMs });
    if (holders.size + waiters.size > 0) permits.set(name, { holders, waiters });
    else permits.delete(name);
    return { granted, contested };
  }
}
