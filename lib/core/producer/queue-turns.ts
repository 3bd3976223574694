import { setImmediate } from 'node:timers';
import { WORTH_ANOTHER_CALL } from './producer-settings.js';

/**
 * Whose turn it is among the queues of a topic, for messages that nothing binds to one.
 *
 * A queue keeps its turn for as many messages as are worth a call, or until the turn of the event loop ends: one call
 * of fifty messages costs half of what four of twelve do (Kafka's sticky partitioner, KIP-480). What is left of a batch
 * goes with those before it when it is too little for a call of its own.
 */
export class QueueTurns {
  private readonly queues: number;
  private queue = 0;
  private taken = 0;
  /** Messages of a batch that come next. */
  private coming = 0;
  private willMoveOn = false;
  /** The one before left at once, and moved on for those behind it. */
  private hasMovedOn = false;

  constructor(options: { queues: number }) {
    this.queues = options.queues;
  }

  /** The queue that was answered last has as much as is worth a call. */
  get isComplete(): boolean {
    const isRest = this.coming > 0 && this.coming < WORTH_ANOTHER_CALL;
    return this.taken >= WORTH_ANOTHER_CALL && !isRest;
  }

  /** So many messages of one batch come now; 0: it is over. */
  expect(messages: number): void {
    // Those in front of it have left: nothing of it is their rest.
    if (messages > 0 && this.isComplete) this.moveOn();
    if (messages > 0) this.hasMovedOn = false;
    this.coming = messages;
  }

  /** Whether the next message may leave before others that come in this turn: no batch is cut, and nobody waits for its answer. */
  get mayLeaveAlone(): boolean {
    return this.coming <= 1 && this.queues > 1;
  }

  /**
   * For a message that leaves at once: others that come in this turn go to the next queue. They are not followed by another
   * move: with two of them in each turn, every other queue would have next to nothing.
   */
  nextAlone(): number {
    const { queue } = this;
    this.moveOn();
    this.hasMovedOn = true;
    return queue;
  }

  next(): number {
    if (this.isComplete) this.moveOn();
    this.taken += 1;
    if (this.coming > 0) this.coming -= 1;
    if (!this.willMoveOn) {
      this.willMoveOn = true;
      setImmediate(() => {
        this.willMoveOn = false;
        // One may have come in a later turn: by itself each moves on.
        if (this.hasMovedOn && this.taken > 1) this.taken = 0;
        else this.moveOn();
        this.hasMovedOn = false;
      });
    }
    return this.queue;
  }

  private moveOn(): void {
    this.queue = (this.queue + 1) % this.queues;
    this.taken = 0;
  }
}
