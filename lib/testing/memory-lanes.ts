import { compareOffsets } from '../core/message/offset.js';
import type {
  HeldLane,
  HeldStep,
  LaneRecord,
  LeaseProof,
  NotYours,
} from '../core/store/queue-lease-store.js';
import type { StoredEntry } from '../core/store/refs.js';

interface Head {
  readonly offset: string;
  readonly starts: number;
  readonly cuts: number;
  readonly alone: boolean;
  readonly token: number;
  /** Null while it runs. */
  readonly wait: { at: number; ms: number } | null;
  readonly history: string;
}

interface Hold {
  state: HeldLane['state'];
  first: string;
  since: number;
  note: string;
  entries: StoredEntry[];
}

/** Ordered consumption of one queue by one group, as the scripts about lanes keep it. */
export class MemoryLanes {
  lease = { owner: '', token: 0, base: 0, until: 0, lasts: 0, version: 0, loaded: false };
  nudge = 0;
  /** What its message groups left behind in another queue was settled. */
  gateIsOpen = false;
  readonly heads = new Map<string, Head>();
  readonly holds = new Map<string, Hold>();

  /** `floor`: every token is larger. */
  acquire(
    { owner, leaseMs, floor }: { owner: string; leaseMs: number; floor: number },
    now: number,
  ): 'held' | { continued: boolean } {
    const { lease } = this;
    if (lease.owner !== '' && lease.owner !== owner && lease.until > now) {
      lease.until = Math.min(lease.until, now + lease.lasts);
      return 'held';
    }
    const continued = lease.owner === owner;
    const token = Math.max(lease.token + 1, floor + 1, now);
    const base = continued ? lease.base : token;
    const until = now + leaseMs;
    this.lease = { owner, token, base, until, lasts: leaseMs, version: 0, loaded: false };
    return { continued };
  }

  owns({ owner, fencingToken }: Omit<LeaseProof, 'version'>): boolean {
    return this.lease.owner === owner && this.lease.token === fencingToken;
  }

  /** Undefined: the owner may go on. */
  objection(proof: LeaseProof): NotYours | undefined {
    if (!this.owns(proof)) return { state: 'fenced' };
    return this.lease.version === proof.version ? undefined : { state: 'gap' };
  }

  nextVersion(): number {
    return ++this.lease.version;
  }

  /** Nobody owns it now; what was started is forgotten. */
  reset(): void {
    this.heads.clear();
    this.lease.owner = '';
    this.lease.until = 0;
  }

  /** Of what is held, only what is behind `start` and not in the log any more stays. */
  rewind({ start, oldest }: { start: string; oldest: string | null }, now: number): void {
    this.reset();
    this.gateIsOpen = false;
    this.lease.loaded = false;
    for (const [lane, hold] of this.holds) {
      const entries = hold.entries.filter(
        ({ offset }) =>
          compareOffsets(offset, start) > 0 &&
          (oldest === null || compareOffsets(offset, oldest) < 0),
      );
      if (entries.length === 0) this.holds.delete(lane);
      else {
        const first = entries[0]!.offset;
        this.holds.set(lane, { state: 'open', first, since: now, note: '', entries });
      }
    }
  }

  get held(): number {
    return [...this.holds.values()].reduce((sum, { entries }) => sum + entries.length, 0);
  }

  /** The head of a lane, with what another owner left open counted as cut off. */
  head(lane: string): (Head & { open: boolean }) | undefined {
    const head = this.heads.get(lane);
    if (!head) return undefined;
    const open = head.wait === null;
    if (!open || head.token >= this.lease.base) return { ...head, open };
    const starts = head.alone ? head.starts : Math.max(0, head.starts - 1);
    return { ...head, starts, cuts: head.cuts + 1, open: false };
  }

  records(now: number): LaneRecord[] {
    return [...this.heads.keys()].map((lane) => {
      const { offset, starts, cuts, open, wait, history } = this.head(lane)!;
      const leftMs = wait ? Math.max(0, Math.min(wait.at - now, wait.ms)) : 0;
      const attempt = open ? starts : starts + 1;
      return { lane, offset, attempt, open, suspect: cuts > 0, leftMs, history };
    });
  }

  heldLanes(): HeldLane[] {
    return [...this.holds].map(([lane, { state, first, since, note, entries }]) => ({
      lane,
      state,
      from: first,
      count: entries.length,
      since,
      note,
    }));
  }

  /** The head after a step; undefined once it is settled. */
  moved(lane: string, step: HeldStep, now: number): Head | undefined {
    const head = this.head(lane);
    const { starts = 0, cuts = 0, history = '' } = head ?? {};
    const { offset } = step;
    const { token } = this.lease;
    if (step.kind === 'begin') {
      const { alone } = step;
      const count = head?.open ? starts : starts + 1;
      return { offset, starts: count, cuts, alone, token, wait: null, history };
    }
    if (step.kind !== 'retry') return undefined;
    const wait = { at: now + Math.round(step.delayMs), ms: Math.round(step.delayMs) };
    if (step.counted)
      return { offset, starts, cuts: 0, alone: false, token, wait, history: step.history };
    const count = head?.open ? starts - 1 : starts;
    return { offset, starts: count, cuts, alone: false, token, wait, history };
  }

  put(lane: string, head: Head | undefined): void {
    if (head) this.heads.set(lane, head);
    else this.heads.delete(lane);
  }

  /** Whether a delivery of the queue may be the head of its lane now. */
  isInTurn(lane: string, offset: string): boolean {
    const head = this.heads.get(lane);
    if (head && head.offset !== offset) return false;
    const hold = this.holds.get(lane);
    return !hold || (hold.state === 'open' && compareOffsets(offset, hold.first) < 0);
  }
}
