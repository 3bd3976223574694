import { startMeter } from '../clock.mjs';

/** Counts handled messages and measures from the end of the warm-up to the last one. */
export class Meter {
  #handled = 0;
  #measured;
  #warmUp;
  #total;
  #finish;
  #warmedUp;

  /** Resolves when the warm-up was handled. */
  warm = new Promise((resolve) => (this.#warmedUp = resolve));

  /** Resolves when the last message was handled. */
  finished = new Promise((resolve) => (this.#finish = resolve));

  constructor({ warmUp, messages }) {
    this.#warmUp = warmUp;
    this.#total = warmUp + messages;
  }

  tick() {
    this.#handled += 1;
    if (this.#handled === this.#warmUp) {
      this.#measured = startMeter();
      this.#warmedUp();
    }
    if (this.#handled === this.#total) this.#finish(this.#measured(this.#total - this.#warmUp));
  }
}
