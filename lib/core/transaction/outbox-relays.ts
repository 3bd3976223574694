import { OutboxRelay, type OutboxRelayOptions } from './outbox-relay.js';
import type { Participants } from './participants.js';
import type { TransactionSettings } from './transaction-settings.js';

export interface OutboxRelaysOptions extends Omit<OutboxRelayOptions, 'participant' | 'everyMs'> {
  participants: Participants;
  /** With `outbox` every message is published from its database: it is looked at more often. */
  store: TransactionSettings['store'];
}

const EVERY_MS = { half: 30_000, outbox: 5_000 };

/** One relay for each database, from `start` on; each looks at once when the store is back. */
export class OutboxRelays {
  private readonly options: OutboxRelaysOptions;
  private readonly relays: readonly OutboxRelay[];
  private isStarted = false;
  private stopWatching: () => void = () => {};

  constructor(options: OutboxRelaysOptions) {
    this.options = options;
    const everyMs = EVERY_MS[options.store];
    this.relays = options.participants
      .list()
      .map((participant) => new OutboxRelay({ ...options, participant, everyMs }));
  }

  /** Safe to repeat. */
  start(): void {
    if (this.isStarted) return;
    this.isStarted = true;
    this.stopWatching = this.options.availability.onChange((ready) => {
      if (ready) for (const relay of this.relays) relay.wake();
    });
    for (const relay of this.relays) relay.start();
  }

  /** Resolves when none is at work. */
  async stop(): Promise<void> {
    this.stopWatching();
    await Promise.all(this.relays.map((relay) => relay.stop()));
  }
}
