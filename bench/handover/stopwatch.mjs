import { nanoseconds } from '../clock.mjs';
import { latencies } from '../statistics.mjs';

/** Notes how long each message took from its send to its handler; those of the warm-up are not counted. */
export class Stopwatch {
  #job;
  #taken = [];
  #finish;

  finished = new Promise((resolve) => (this.#finish = resolve));

  constructor(job) {
    this.#job = job;
  }

  arrived(sentAt) {
    const { warmUp, messages } = this.#job;
    if (this.#taken.push(nanoseconds() - sentAt) === warmUp + messages)
      this.#finish(latencies(this.#taken.slice(warmUp)));
  }
}
