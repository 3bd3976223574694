import { WORTH_ANOTHER_CALL } from '../producer/producer-settings.js';

/** Where so many wait, the process is busy throughout, and gains more by larger calls. */
const MANY = 6 * WORTH_ANOTHER_CALL;

/** What the store answered to one call. */
interface Answered {
  readonly answers: number;
  handOn(): void;
}

/**
 * Answers that come together are handed on in portions, one in every other turn of the event loop: what is asked because of one has
 * left before the next is worked on.
 *
 * Handed on at once, all of many transactions in flight would ask at the same time, and be answered at the same time: process and
 * store would wait for each other in turn (decision 19).
 */
export class AnswerPace {
  private readonly waiting: Answered[] = [];
  /** Of all that wait. */
  private answers = 0;
  private isHandingOn = false;

  /** At once when nothing else was handed on just now or many wait, otherwise later, in the order of these calls. `handOn` must not throw. */
  take(answers: number, handOn: () => void): void {
    this.waiting.push({ answers, handOn });
    this.answers += answers;
    if (!this.isHandingOn) this.next();
    else if (this.answers > MANY) this.handOn(this.waiting.length);
  }

  private next(): void {
    this.isHandingOn = this.waiting.length > 0;
    if (!this.isHandingOn) return;
    this.handOn(this.portion());
    // Whatever they ask leaves at the end of this turn of the event loop, or of the next one when this is such an end.
    setImmediate(() => setImmediate(() => this.next()));
  }

  private handOn(calls: number): void {
    for (const { answers, handOn } of this.waiting.splice(0, calls)) {
      this.answers -= answers;
      handOn();
    }
  }

  /** How many calls have answers that are worth a call; what is left is no less than half of that. */
  private portion(): number {
    let [calls, left] = [0, this.answers];
    for (const { answers } of this.waiting) {
      const isEnough = this.answers - left >= WORTH_ANOTHER_CALL;
      if (isEnough && left >= WORTH_ANOTHER_CALL / 2) break;
      calls += 1;
      left -= answers;
    }
    return calls;
  }
}
