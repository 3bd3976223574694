import type { Events } from '../../runtime/events.js';
import type { Logger } from '../../runtime/logger.js';
import type { GroupQueue } from '../../store/delivery-store.js';
import type { Lanes } from './lanes.js';
import type { OrderedTiming } from './ordered-timing.js';

/** As many lanes of a queue are parked as may be: its owner keeps each of them in memory. Said once each time. */
export class ParkedLimit {
  private readonly options: {
    ref: GroupQueue;
    timing: Pick<OrderedTiming, 'maxParkedLanes'>;
    events: Events;
    logger: Logger;
  };
  private isTold = false;

  constructor(options: ParkedLimit['options']) {
    this.options = options;
  }

  /** Whether nothing more may be read until an operator lets some of them go on. */
  isReached({ parkedCount }: Lanes): boolean {
    const isReached = parkedCount >= this.options.timing.maxParkedLanes;
    if (isReached && !this.isTold) this.tell(parkedCount);
    this.isTold = isReached;
    return isReached;
  }

  private tell(parkedLanes: number): void {
    const { ref, events, logger } = this.options;
    const { topic, group, queue } = ref;
    events.emit('lanes-full', { ...ref, parkedLanes });
    logger.error(
      `${topic}/${group}: ${parkedLanes} lanes of queue ${queue} are parked, as many as ordered.maxParkedLanes allows. Nothing more of it is read until some of them go on: MessageAdmin.listParkedLanes, resumeLane.`,
    );
  }
}
