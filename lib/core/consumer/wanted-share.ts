/** No read is made larger than this, nor by a larger factor, for a filter. */
const MOST = 256;
const LARGEST_FACTOR = 64;
/** So many messages count as much as all before them. */
const MEMORY = 16;

/**
 * How much of what is read needs a slot, by the latest of it: a subscription whose filter wants little reads more at
 * once, or it would ask the store for each message that it does not want.
 */
export class WantedShare {
  private share = 1;

  note({ read, wanted }: { read: number; wanted: number }): void {
    if (read === 0) return;
    const latest = wanted / read;
    // More at once: what finds no slot has to wait.
    if (latest > this.share) this.share = latest;
    else this.share += (latest - this.share) * Math.min(1, read / MEMORY);
  }

  /** How many messages to ask for when so many slots are free. */
  toRead(free: number): number {
    const factor = Math.min(1 / this.share, LARGEST_FACTOR);
    return Math.max(free, Math.min(Math.ceil(free * factor), MOST));
  }
}
