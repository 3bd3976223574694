import type { GroupQueue } from '../../lib/core/store/delivery-store.js';
import type {
  HeldStep,
  LaneStep,
  LeaseProof,
  LoadReply,
  ReadReply,
  StepReply,
} from '../../lib/core/store/queue-lease-store.js';
import type { Stores } from '../../lib/core/store/stores.js';

export const LEASE_MS = 15_000;

/** One owner of one queue, in the fewest words. It knows what a real one knows: its token and its version. */
export class TestOwner {
  readonly stores: Stores;
  readonly ref: GroupQueue;
  readonly name: string;
  proof: LeaseProof;

  constructor(stores: Stores, ref: GroupQueue, name: string) {
    this.stores = stores;
    this.ref = ref;
    this.name = name;
    this.proof = { owner: name, fencingToken: 0, version: 0 };
  }

  /** @returns whether it is the owner now. */
  async acquire(leaseMs = LEASE_MS): Promise<boolean> {
    const claim = { owner: this.name, leaseMs };
    const reply = await this.stores.leases.acquire(this.ref, claim);
    if (reply.state !== 'acquired') return false;
    this.proof = { owner: this.name, fencingToken: reply.fencingToken, version: 0 };
    return true;
  }

  /** Everything that is not settled, in pages of 1 000. */
  async load(): Promise<LoadReply & { state: 'loaded' }> {
    const page = { after: null, count: 1_000 };
    const load = (): Promise<LoadReply> => this.stores.leases.load(this.ref, this.proof, page);
    let reply = await load();
    while (reply.state === 'again') reply = await load();
    return loaded(reply);
  }

  async own(): Promise<LoadReply & { state: 'loaded' }> {
    if (!(await this.acquire())) throw new Error(`${this.name} could not acquire`);
    return this.load();
  }

  async read(count = 100): Promise<ReadReply> {
    const reply = await this.stores.leases.read(this.ref, this.proof, count);
    if (reply.state === 'read') this.proof = { ...this.proof, version: reply.version };
    return reply;
  }

  /** Offsets of what is new. */
  async readOffsets(count?: number): Promise<string[]> {
    const reply = await this.read(count);
    if (reply.state !== 'read') throw new Error(`expected "read", got "${reply.state}"`);
    return reply.entries.map(({ offset }) => offset);
  }

  step(...steps: LaneStep[]): Promise<StepReply> {
    return this.changed(this.stores.leases.step(this.ref, this.proof, steps));
  }

  begin(lane: string, offset: string, alone = false): Promise<StepReply> {
    return this.step({ kind: 'begin', lane, offset, alone });
  }

  ack(lane: string, offset: string): Promise<StepReply> {
    return this.step({ kind: 'ack', lane, offset });
  }

  retry(lane: string, offset: string, delayMs: number, counted = true): Promise<StepReply> {
    return this.step({ kind: 'retry', lane, offset, delayMs, counted, history: 'h' });
  }

  hold(lane: string, ...offsets: string[]): Promise<StepReply> {
    const move = { lane, offsets, park: null };
    return this.changed(this.stores.leases.hold(this.ref, this.proof, move));
  }

  park(lane: string, ...offsets: string[]): Promise<StepReply> {
    const move = { lane, offsets, park: { note: 'why' } };
    return this.changed(this.stores.leases.hold(this.ref, this.proof, move));
  }

  stepHeld(lane: string, ...steps: HeldStep[]): Promise<StepReply> {
    return this.changed(this.stores.leases.stepHeld(this.ref, this.proof, lane, steps));
  }

  renew(leaseMs = LEASE_MS) {
    return this.stores.leases.renew(this.ref, this.proof, leaseMs);
  }

  release() {
    return this.stores.leases.release(this.ref, this.proof);
  }

  private async changed(call: Promise<StepReply>): Promise<StepReply> {
    const reply = await call;
    if (reply.state === 'done') this.proof = { ...this.proof, version: reply.version };
    return reply;
  }
}

function loaded(reply: LoadReply): LoadReply & { state: 'loaded' } {
  if (reply.state !== 'loaded') throw new Error(`expected "loaded", got "${reply.state}"`);
  return reply;
}
