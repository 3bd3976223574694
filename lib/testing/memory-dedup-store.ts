import type {
  BeginAsker,
  BeginReply,
  CompleteAsker,
  DedupClaim,
  DedupCompletion,
  DedupRecord,
  DedupRef,
  DedupStore,
} from '../core/store/dedup-store.js';
import type { MemoryGate } from './memory-gate.js';
import type { MemoryState, RememberedMessage } from './memory-state.js';

export class MemoryDedupStore implements DedupStore {
  private readonly state: MemoryState;
  private readonly gate: MemoryGate;

  constructor(state: MemoryState, gate: MemoryGate) {
    this.state = state;
    this.gate = gate;
  }

  recordOf(ref: DedupRef): DedupRef {
    return ref;
  }

  begin(ref: DedupRef, claim: DedupClaim, asker: BeginAsker): void {
    const beginning = this.gate.call((): BeginReply => {
      const found = this.record(ref);
      if (found?.isDone) return { state: 'done', result: found.result };
      if (found && found.owner !== claim.owner) {
        // No member says so different a lease: the clock was set back, which keeps nobody waiting.
        const leftMs = Math.min(found.until - this.gate.clock.now(), 4 * claim.leaseMs);
        found.until = this.gate.clock.now() + leftMs;
        return { state: 'busy', leftMs };
      }
      this.claim(ref, claim);
      return { state: 'new' };
    });
    void beginning.then(
      (reply) => asker.begun(reply),
      (error: unknown) => asker.beginFailed(error),
    );
  }

  renew(ref: DedupRef, claim: DedupClaim): Promise<'renewed' | 'lost'> {
    return this.gate.call(() => {
      const found = this.record(ref);
      if (found && (found.isDone || found.owner !== claim.owner)) return 'lost';
      this.claim(ref, claim);
      return 'renewed';
    });
  }

  complete(ref: DedupRef, { owner, ttlMs, result }: DedupCompletion, asker: CompleteAsker): void {
    const completing = this.gate.call((): 'completed' | 'lost' => {
      const found = this.record(ref);
      if (found && found.owner !== owner) return 'lost';
      const until = this.gate.clock.now() + ttlMs;
      this.state.handled.set(nameOf(ref), { isDone: true, owner, until, result });
      return 'completed';
    });
    void completing.then(
      (reply) => asker.completed(reply),
      (error: unknown) => asker.completeFailed(error),
    );
  }

  abandon(ref: DedupRef, owner: string): Promise<'abandoned' | 'lost'> {
    return this.gate.call(() => {
      const found = this.record(ref);
      if (found && (found.isDone || found.owner !== owner)) return 'lost';
      this.state.handled.delete(nameOf(ref));
      return 'abandoned';
    });
  }

  find(ref: DedupRef): Promise<DedupRecord | undefined> {
    return this.gate.call(() => {
      const found = this.record(ref);
      if (!found) return undefined;
      const { isDone, owner, until, result } = found;
      return isDone
        ? { state: 'done', result }
        : { state: 'in-progress', owner, leftMs: until - this.gate.clock.now() };
    });
  }

  forget(ref: DedupRef): Promise<boolean> {
    return this.gate.call(
      () => this.record(ref) !== undefined && this.state.handled.delete(nameOf(ref)),
    );
  }

  private claim(ref: DedupRef, { owner, leaseMs }: DedupClaim): void {
    const until = this.gate.clock.now() + leaseMs;
    this.state.handled.set(nameOf(ref), { isDone: false, owner, until, result: undefined });
  }

  private record(ref: DedupRef): RememberedMessage | undefined {
    const found = this.state.handled.get(nameOf(ref));
    return found && found.until > this.gate.clock.now() ? found : undefined;
  }
}

/** No topic and no group contains a space. */
function nameOf({ topic, group, key }: DedupRef): string {
  return `${topic} ${group} ${key}`;
}
