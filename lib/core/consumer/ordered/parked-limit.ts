import type { GroupQueue } from '../../store/delivery-store.js';
import type { Reporter } from '../reporter.js';
import type { Lanes } from './lanes.js';
import type { OrderedTiming } from './ordered-timing.js';

/** As many lanes of a queue are parked as may be: its owner keeps each of them in memory. Said once each time. */
export class ParkedLimit {
  private readonly options: {
    ref: GroupQueue;
    timing: Pick<OrderedTiming, 'maxParkedLanes'>;
    reporter: Pick<Reporter, 'fullOfParkedLanes'>;
  };
  private isTold = false;

  constructor(options: ParkedLimit['options']) {
    this.options = options;
  }

  /** Whether nothing more may be read until an operator lets some of them go on. */
  isReached({ parkedCount }: Lanes): boolean {
    const { ref, timing, reporter } = this.options;
    const isReached = parkedCount >= timing.maxParkedLanes;
    if (isReached && !this.isTold) reporter.fullOfParkedLanes(ref, parkedCount);
    this.isTold = isReached;
    return isReached;
  }
}
