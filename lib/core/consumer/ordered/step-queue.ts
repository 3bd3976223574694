import type { GroupQueue } from '../../store/delivery-store.js';
import type {
  HeldStep,
  LeaseProof,
  LaneStep,
  QueueLeaseStore,
  StepReply,
} from '../../store/queue-lease-store.js';
import type { Lane } from './lane.js';
import type { Lanes } from './lanes.js';

/** What follows when the store made a change, and when nobody knows whether it did. */
interface Answers {
  done(): void;
  inDoubt(): void;
}

/** A change that the store is to make. */
export type LaneCall = Answers &
  (
    | { kind: 'step'; steps: LaneStep[] }
    | { kind: 'step-held'; lane: Lane; steps: HeldStep[] }
    | { kind: 'hold'; lane: Lane; offsets: string[]; park: { note: string } | null }
  );

/** A step that is to be made. */
interface Planned extends Answers {
  readonly lane: Lane;
  /** The message stands among what its lane holds. */
  readonly isHeld: boolean;
  readonly step: HeldStep & { readonly lane: string };
}

const MOST_STEPS = 200;
const MOST_MOVED = 500;

/** What the owner of a queue has decided and not sent yet, in the order in which the store may learn of it. */
export class StepQueue {
  private steps: Planned[] = [];
  private readonly held = new Map<Lane, Planned[]>();
  private parks: (LaneCall & { kind: 'hold' })[] = [];

  get isEmpty(): boolean {
    return this.steps.length === 0 && this.held.size === 0 && this.parks.length === 0;
  }

  put(planned: Planned): void {
    const { lane, isHeld } = planned;
    if (!isHeld) {
      this.steps.push(planned);
      return;
    }
    const steps = this.held.get(lane) ?? [];
    this.held.set(lane, steps);
    lane.hold!.unconfirmed += 1;
    steps.push(planned);
  }

  park(lane: Lane, move: Answers & { offsets: string[]; note: string }): void {
    const { offsets, note, done, inDoubt } = move;
    this.parks.push({ kind: 'hold', lane, offsets, park: { note }, done, inDoubt });
  }

  /** The next calls, at most one of each kind, to be made one after the other. */
  take(lanes: Lanes): LaneCall[] {
    const calls: LaneCall[] = [];
    if (this.steps.length > 0) {
      const some = this.steps.splice(0, MOST_STEPS);
      // Only what is held can be parked by a step.
      const steps = some.map(({ step }) => step as LaneStep);
      calls.push({ kind: 'step', steps, done: () => finish(some), inDoubt: () => doubt(some) });
    }
    for (const [lane, some] of this.held) {
      this.held.delete(lane);
      const done = (): void => {
        lane.hold!.unconfirmed -= some.length;
        finish(some);
      };
      const steps = some.map(({ step }) => step);
      calls.push({ kind: 'step-held', lane, steps, done, inDoubt: () => doubt(some) });
      break;
    }
    // A lane is parked with all it has before anything newer is put behind that.
    const park = this.parks.shift();
    if (park) calls.push(park);
    else
      for (const lane of lanes.moving) {
        const offsets = lanes.takeArriving(lane, MOST_MOVED).map(({ offset }) => offset);
        calls.push({ kind: 'hold', lane, offsets, park: null, ...NOBODY_ASKS });
        break;
      }
    return calls;
  }

  clear(): void {
    this.steps = [];
    this.held.clear();
    this.parks = [];
  }
}

const NOBODY_ASKS: Answers = { done: () => undefined, inDoubt: () => undefined };

function doubt(planned: readonly Planned[]): void {
  for (const { inDoubt } of planned) inDoubt();
}

function finish(planned: readonly Planned[]): void {
  for (const { done } of planned) done();
}

/** Have the store make it. */
export function sendCall(
  call: LaneCall,
  leases: QueueLeaseStore,
  ref: GroupQueue,
  proof: LeaseProof,
): Promise<StepReply> {
  switch (call.kind) {
    case 'step':
      return leases.step(ref, proof, call.steps);
    case 'step-held':
      return leases.stepHeld(ref, proof, call.lane.name, call.steps);
    case 'hold':
      return leases.hold(ref, proof, { ...call, lane: call.lane.name });
  }
}
