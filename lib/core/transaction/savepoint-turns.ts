/**
 * Runs the savepoints of one transaction, or of one savepoint, one after the other: a database lets the later of two that are
 * open stand within the earlier one, whose failure would undo what the later one wrote and leave its messages.
 */
export class SavepointTurns {
  /** Throws when none may begin any more. */
  private readonly check: () => void;
  /** The end of the last one; it never rejects. */
  private last: Promise<void> | undefined;
  /** Of the last that had to wait for its turn: it begins later than it was called, so its end is waited for. */
  private lastInTurn: Promise<void> | undefined;
  private readonly waits: Promise<void>[] = [];

  constructor(options: { check(): void }) {
    this.check = options.check;
  }

  /** Those that wait for their turn. Each rejects when it may not begin: it was called as a part of what has ended. */
  get waiting(): readonly Promise<void>[] {
    return this.waits;
  }

  /** The end of those that had to wait, if there are any; it never rejects. */
  get whenOver(): Promise<void> | undefined {
    return this.lastInTurn;
  }

  run<R>(savepoint: () => Promise<R>): Promise<R> {
    const before = this.last;
    const running = before ? this.after(before).then(savepoint) : savepoint();
    const over = running.then(nothing, nothing);
    this.last = over;
    if (before) this.lastInTurn = over;
    void over.then(() => {
      if (this.last === over) this.last = this.lastInTurn = undefined;
    });
    // Another promise than the one that is heard here: whoever does not await it is told of its failure by the process.
    return running.then((result) => result);
  }

  private after(turn: Promise<void>): Promise<void> {
    const { waits } = this;
    const begun = turn.then(() => {
      this.check();
      void waits.splice(waits.indexOf(begun), 1);
    });
    waits.push(begun);
    return begun;
  }
}

function nothing(): void {}
