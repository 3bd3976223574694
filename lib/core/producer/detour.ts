import type { Clock } from '../runtime/clock.js';
import type { PendingSend } from './pending-send.js';

/**
 * Sends to a topic that changes, until its new queues are known: first what its old queues gave back, then what came
 * since. Whose time is up here was never stored.
 */
export class Detour {
  private readonly clock: Clock;
  private readonly returned: PendingSend[] = [];
  private readonly arrived: PendingSend[] = [];
  private readonly cancels: (() => void)[] = [];

  constructor(options: { clock: Clock }) {
    this.clock = options.clock;
  }

  giveBack(sends: readonly PendingSend[]): void {
    for (const send of sends) this.hold(send, this.returned);
  }

  arrive(send: PendingSend): void {
    this.hold(send, this.arrived);
  }

  /** Whether one of them has time left. */
  get isAwaited(): boolean {
    return [...this.returned, ...this.arrived].some((send) => !send.answered);
  }

  /** Everything that was not answered meanwhile, in the order it was sent. */
  end(): PendingSend[] {
    for (const cancel of this.cancels) cancel();
    return [...this.returned, ...this.arrived].filter((send) => !send.answered);
  }

  private hold(send: PendingSend, place: PendingSend[]): void {
    place.push(send);
    const leftMs = send.deadline - this.clock.monotonic();
    this.cancels.push(this.clock.after(leftMs, () => send.expire(false, undefined)));
  }
}
