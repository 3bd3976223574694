/** A send that waits for room, between the one that asked before it and the one that asked after. */
class Ticket {
  before: Ticket | undefined = undefined;
  after: Ticket | undefined = undefined;
  isWaiting = true;

  constructor(
    readonly bytes: number,
    readonly admit: () => void,
  ) {}
}

/**
 * What a producer holds in memory, bounded: `await send()` is the back-pressure.
 *
 * Room is given in the order it was asked for, so that waiting does not change the order of messages.
 */
export class SendBuffer {
  private readonly maxMessages: number;
  private readonly maxBytes: number;
  private messages = 0;
  private bytes = 0;
  private admitting = false;
  // A list: tens of thousands may give up in the same moment, and each would search and move an array.
  private first: Ticket | undefined;
  private last: Ticket | undefined;
  private waiting = 0;

  constructor(options: { maxMessages: number; maxBytes: number }) {
    this.maxMessages = options.maxMessages;
    this.maxBytes = options.maxBytes;
  }

  /** Room at once, or false; never overtakes somebody who waits. */
  tryTake(bytes: number): boolean {
    if (this.first || !this.fits(bytes)) return false;
    this.take(bytes);
    return true;
  }

  /** `admit` is called once there is room. The returned function gives up; it answers false when it is too late. */
  wait(bytes: number, admit: () => void): () => boolean {
    const ticket = new Ticket(bytes, admit);
    ticket.before = this.last;
    if (this.last) this.last.after = ticket;
    else this.first = ticket;
    this.last = ticket;
    this.waiting += 1;
    return () => {
      if (!ticket.isWaiting) return false;
      this.remove(ticket);
      this.admitWaiting();
      return true;
    };
  }

  give(bytes: number): void {
    this.messages -= 1;
    this.bytes -= bytes;
    if (this.first) this.admitWaiting();
  }

  get held(): { messages: number; bytes: number; waiting: number } {
    return { messages: this.messages, bytes: this.bytes, waiting: this.waiting };
  }

  private admitWaiting(): void {
    // Who is admitted may give its room back at once, as all do at a shutdown: one inside the other, thousands of them
    // would overflow the stack.
    if (this.admitting) return;
    this.admitting = true;
    try {
      for (let next = this.first; next && this.fits(next.bytes); next = this.first) {
        this.remove(next);
        this.take(next.bytes);
        next.admit();
      }
    } finally {
      this.admitting = false;
    }
  }

  private remove(ticket: Ticket): void {
    const { before, after } = ticket;
    if (before) before.after = after;
    else this.first = after;
    if (after) after.before = before;
    else this.last = before;
    ticket.isWaiting = false;
    this.waiting -= 1;
  }

  private take(bytes: number): void {
    this.messages += 1;
    this.bytes += bytes;
  }

  /** One message always fits into an empty buffer, however large it is. */
  private fits(bytes: number): boolean {
    return (
      this.messages === 0 ||
      (this.messages < this.maxMessages && this.bytes + bytes <= this.maxBytes)
    );
  }
}
