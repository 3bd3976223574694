import type { StoredEntry } from '../../store/refs.js';
import type { OrderedBy } from '../../store/topic-registry.js';
import type { Reporter } from '../reporter.js';
import { isWithoutGroup, laneOf } from './lane-name.js';

/** Which lane a delivery goes to; none from the first one on that a newer library wrote, since nobody knows whom it precedes. */
export class Admission {
  private readonly options: {
    by: OrderedBy;
    reporter: Pick<Reporter, 'heldInQueue' | 'withoutMessageGroup'>;
  };
  private stopped = false;

  constructor(options: Admission['options']) {
    this.options = options;
  }

  /** A message of a newer library stands in the way of all that follow. */
  get isStopped(): boolean {
    return this.stopped;
  }

  /** The name of its lane; undefined: it and what follows may not run here. */
  laneOf(entry: StoredEntry): string | undefined {
    if (this.stopped) return undefined;
    const lane = laneOf(entry, this.options.by);
    if ('name' in lane) {
      if (isWithoutGroup(lane.name)) this.options.reporter.withoutMessageGroup();
      return lane.name;
    }
    this.stopped = true;
    this.options.reporter.heldInQueue(entry, lane.newerVersion);
    return undefined;
  }
}
