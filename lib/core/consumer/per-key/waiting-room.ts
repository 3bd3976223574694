import type { DeliveredEntry } from '../../store/delivery-store.js';
import { bytesOf } from '../byte-budget.js';
import type { Capacity } from '../capacity.js';

/** Whose delivery waits for a permit. */
export interface PermitUser {
  /** It has its permit now, and keeps it until `Permits.leave`. */
  start(entry: DeliveredEntry): void;
  /** It goes back to the store, and comes again after so long. */
  sendBack(entry: DeliveredEntry, delayMs: number): void;
}

/** One delivery that waits. A class, as what lives until an answer (decision 7). */
export class Waiting {
  readonly entry: DeliveredEntry;
  readonly user: PermitUser;
  /** By the monotonic clock. */
  readonly since: number;
  /** `no`: the first answer decides. `asking`: likewise, and until then it counts as taken. `yes`: it has a place here. */
  stays: 'no' | 'asking' | 'yes' = 'no';

  constructor(entry: DeliveredEntry, user: PermitUser, since: number) {
    this.entry = entry;
    this.user = user;
    this.since = since;
  }
}

const FEWEST = 4;

/** How many deliveries may wait in this process, of all keys together and of each. They have no slot. */
export class WaitingRoom {
  private readonly capacity: Capacity;
  private readonly mostOfKey: number;
  private places: number;
  private bytes: number;

  constructor(options: { capacity: Capacity; max: number; bytes: number }) {
    this.capacity = options.capacity;
    const { limit } = options.capacity;
    this.mostOfKey = Math.max(FEWEST, Math.min(2 * options.max, limit));
    this.places = Math.max(FEWEST, limit);
    this.bytes = options.bytes;
  }

  /** It is not known yet whether there is a permit: it counts as one that waits for a slot. */
  expect(item: Waiting): void {
    item.stays = 'asking';
    this.capacity.queue(1);
  }

  /** Gives it a place; false when there is none. `others` of its key have one already. */
  settle(item: Waiting, others: number): boolean {
    if (item.stays === 'yes') return true;
    const size = bytesOf(item.entry);
    if (others >= this.mostOfKey || this.places <= 0 || this.bytes < size) return false;
    this.leave(item);
    item.stays = 'yes';
    this.places -= 1;
    this.bytes -= size;
    return true;
  }

  leave(item: Waiting): void {
    if (item.stays === 'asking') this.capacity.queue(-1);
    if (item.stays === 'yes') {
      this.places += 1;
      this.bytes += bytesOf(item.entry);
    }
    item.stays = 'no';
  }
}
