import { setImmediate } from 'node:timers';
import { WORTH_ANOTHER_CALL } from '../producer/producer-settings.js';

/** Fewer are no portion: each call costs something, however little travels in it. */
const LEAST = 8;
/** With so many prepares in flight the process is busy throughout, and gains more by larger calls. */
const MANY = 8 * WORTH_ANOTHER_CALL;

/** What the store answered to one call: `handOn(from, to)` tells those who asked in these places, in order. */
interface Answered {
  readonly answers: number;
  readonly handOn: (from: number, to: number) => void;
  from: number;
}

/**
 * Answers are handed on in portions of about half of the prepares in flight, one in every other turn of the event loop: what is asked
 * because of one has left before the next is worked on.
 *
 * Handed on at once, all of many transactions in flight would ask at the same time, and be answered at the same time: process and
 * store would wait for each other in turn (decision 19).
 */
export class AnswerPace {
  private readonly waiting: Answered[] = [];
  /** Of all that wait. */
  private answers = 0;
  /** Answers that are waited for, or wait. */
  private inFlight = 0;
  private isHandingOn = false;

  /** So many answers will be taken, or `missed`. */
  expect(answers: number): void {
    this.inFlight += answers;
  }

  /** So many answers will not come. */
  missed(answers: number): void {
    this.inFlight -= answers;
  }

  /**
   * `handOn` is called for each of so many answers once, in the order of these calls: at once when nothing was handed on just now
   * or many are in flight, otherwise later. It must not throw.
   */
  take(answers: number, handOn: Answered['handOn']): void {
    this.waiting.push({ answers, handOn, from: 0 });
    this.answers += answers;
    if (this.inFlight > MANY) this.handOn(this.answers);
    else if (!this.isHandingOn) this.next();
  }

  private next(): void {
    this.isHandingOn = this.answers > 0;
    if (!this.isHandingOn) return;
    this.handOn(portionOf(this.answers, this.inFlight));
    // Whatever they ask leaves at the end of this turn of the event loop, or of the next one when this is such an end.
    setImmediate(() => setImmediate(() => this.next()));
  }

  private handOn(answers: number): void {
    this.answers -= answers;
    this.inFlight -= answers;
    for (let left = answers; left > 0;) {
      const call = this.waiting[0]!;
      const { from } = call;
      call.from = Math.min(call.answers, from + left);
      left -= call.from - from;
      if (call.from === call.answers) this.waiting.shift();
      call.handOn(from, call.from);
    }
  }
}

/** Never more than is worth a call; a small rest goes with those before it. */
function portionOf(answers: number, inFlight: number): number {
  const portion = Math.min(Math.max(Math.ceil(inFlight / 2), LEAST), WORTH_ANOTHER_CALL);
  return answers < 1.5 * portion ? answers : portion;
}
