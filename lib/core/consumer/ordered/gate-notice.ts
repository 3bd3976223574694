import type { Clock } from '../../runtime/clock.js';
import type { GroupQueue } from '../../store/delivery-store.js';
import type { QueueGate } from '../../store/queue-lease-store.js';
import type { Reporter } from '../reporter.js';

/** What only an operator can change is said again so often. */
const REMIND_MS = 600_000;

/** Says why a queue that was added to its topic is not read yet: when the reason changes, and now and then. */
export class GateNotice {
  private readonly options: {
    ref: GroupQueue;
    clock: Clock;
    reporter: Pick<Reporter, 'gated' | 'stillGated'>;
  };
  private told: string | undefined;
  private toldAt = 0;

  constructor(options: GateNotice['options']) {
    this.options = options;
  }

  tell(gate: QueueGate): void {
    const { ref, clock, reporter } = this.options;
    const reason = JSON.stringify(gate);
    const now = clock.monotonic();
    if (reason !== this.told) reporter.gated(ref, gate);
    else if (now - this.toldAt >= REMIND_MS) reporter.stillGated(ref, gate);
    else return;
    this.told = reason;
    this.toldAt = now;
  }
}
