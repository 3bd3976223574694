import type { TransactionFacts } from './transaction-facts.js';
import type { Answer } from './turn-batch.js';

interface DeliveryListeners {
  /** Others have to complete it. `onEnded` follows. */
  onDelayed(facts: TransactionFacts, error: Error): void;
  onEnded(): void;
}

/** The messages of a committed transaction on their way. A class, since it lives until they are visible: decision 19. */
export class DeliveryAnswer implements Answer<void> {
  constructor(
    private readonly facts: TransactionFacts,
    private readonly listeners: DeliveryListeners,
  ) {}

  resolve(): void {
    this.listeners.onEnded();
  }

  reject(error: unknown): void {
    this.listeners.onDelayed(this.facts, error as Error);
    this.listeners.onEnded();
  }
}
