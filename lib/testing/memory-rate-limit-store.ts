import type { RateLimit, RateLimitStore, TokenReply } from '../core/store/rate-limit-store.js';
import type { MemoryGate } from './memory-gate.js';
import type { MemoryState } from './memory-state.js';

export class MemoryRateLimitStore implements RateLimitStore {
  private readonly state: MemoryState;
  private readonly gate: MemoryGate;

  constructor(state: MemoryState, gate: MemoryGate) {
    this.state = state;
    this.gate = gate;
  }

  take(
    { topic, group }: { topic: string; group: string },
    { want, limit: { max, perMs } }: { want: number; limit: RateLimit },
  ): Promise<TokenReply> {
    return this.gate.call(() => {
      const key = `${topic} ${group}`;
      const now = this.gate.clock.now();
      const { level: before, at } = this.state.rates.get(key) ?? { level: max, at: now };
      const full = Math.min(max, before + (Math.max(0, now - at) * max) / perMs);
      const granted = Math.min(want, Math.floor(full + 1e-6));
      const level = Math.max(0, full - granted);
      this.state.rates.set(key, { level, at: now });
      const waitMs = granted < want ? Math.ceil(((1 - level) * perMs) / max) : 0;
      return { granted, left: Math.floor(level), waitMs: Math.max(0, waitMs) };
    });
  }
}
