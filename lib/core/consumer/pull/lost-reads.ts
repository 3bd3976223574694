import type { Clock } from '../../runtime/clock.js';
import type { DeliveryStore, GroupQueue } from '../../store/delivery-store.js';

export interface LostReadsOptions {
  refs(): readonly GroupQueue[];
  consumer: string;
  deliveries: Pick<DeliveryStore, 'renew'>;
  clock: Clock;
  /** What is in our name for longer was in a reply that got lost. */
  swallowedAfterMs: number;
  onError(error: unknown): void;
}

/** Gives back what is in our name and in nobody's hands, once no lost read can be answered any more. */
export class LostReads {
  private readonly options: LostReadsOptions;
  private cancel: (() => void) | undefined;
  private closed = false;

  constructor(options: LostReadsOptions) {
    this.options = options;
  }

  /** A reply was lost, or may have been: look when whatever was read until now is either here or lost. */
  suspect(): void {
    const { clock, swallowedAfterMs, onError } = this.options;
    this.cancel?.();
    if (this.closed) return;
    this.cancel = clock.after(swallowedAfterMs + 1, () => {
      this.giveBack().catch((error: unknown) => {
        onError(error);
        this.suspect();
      });
    });
  }

  close(): void {
    this.closed = true;
    this.cancel?.();
  }

  private async giveBack(): Promise<void> {
    const { refs, consumer, deliveries, swallowedAfterMs } = this.options;
    await Promise.all(
      refs().map((ref) => deliveries.renew(ref, { consumer, inHand: [], swallowedAfterMs })),
    );
  }
}
