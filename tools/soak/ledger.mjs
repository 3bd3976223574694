/**
 * What is still to come of all that was sent, in memory that does not grow with what is done: a message is `<kind>:
 * <lane>:<seq>`, and each lane sends one after the other.
 */
export class Ledger {
  confirmed = 0;
  failed = 0;
  unknown = 0;
  handled = 0;
  again = 0;
  ghosts = 0;
  reordered = 0;
  /** Confirmed and not handled yet. */
  outstanding = new Set();
  /** Handled before their send was answered. */
  #early = new Set();
  #failed = new Set();
  #unknown = new Set();
  #answered = new Map();
  #last = new Map();

  answered(key, answer) {
    const { lane, seq } = partsOf(key);
    this.#answered.set(lane, seq);
    this[answer] += 1;
    if (this.#early.delete(key)) {
      if (answer === 'failed') this.ghosts += 1;
    } else if (answer === 'confirmed') this.outstanding.add(key);
    else if (answer === 'failed') this.#failed.add(key);
    else this.#unknown.add(key);
  }

  handle(key) {
    const { kind, lane, seq } = partsOf(key);
    if (!this.#isFirst(key, lane, seq)) return void (this.again += 1);
    this.handled += 1;
    if (kind !== 'ordered') return;
    if (seq < (this.#last.get(lane) ?? 0)) this.reordered += 1;
    else this.#last.set(lane, seq);
  }

  #isFirst(key, lane, seq) {
    if (this.outstanding.delete(key) || this.#unknown.delete(key)) return true;
    if (this.#failed.delete(key)) {
      this.ghosts += 1;
      return true;
    }
    if (seq <= (this.#answered.get(lane) ?? 0) || this.#early.has(key)) return false;
    this.#early.add(key);
    return true;
  }
}

function partsOf(key) {
  const at = key.lastIndexOf(':');
  const lane = key.slice(0, at);
  return { kind: lane.slice(0, lane.indexOf(':')), lane, seq: Number(key.slice(at + 1)) };
}
