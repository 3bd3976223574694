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
  private readonly waiting: { bytes: number; admit: () => void }[] = [];

  constructor(options: { maxMessages: number; maxBytes: number }) {
    this.maxMessages = options.maxMessages;
    this.maxBytes = options.maxBytes;
  }

  /** Room at once, or false; never overtakes somebody who waits. */
  tryTake(bytes: number): boolean {
    if (this.waiting.length > 0 || !this.fits(bytes)) return false;
    this.take(bytes);
    return true;
  }

  /** `admit` is called once there is room. The returned function gives up; it answers false when it is too late. */
  wait(bytes: number, admit: () => void): () => boolean {
    const ticket = { bytes, admit };
    this.waiting.push(ticket);
    return () => {
      const at = this.waiting.indexOf(ticket);
      if (at < 0) return false;
      this.waiting.splice(at, 1);
      this.admitWaiting();
      return true;
    };
  }

  give(bytes: number): void {
    this.messages -= 1;
    this.bytes -= bytes;
    if (this.waiting.length > 0) this.admitWaiting();
  }

  get held(): { messages: number; bytes: number; waiting: number } {
    return { messages: this.messages, bytes: this.bytes, waiting: this.waiting.length };
  }

  private admitWaiting(): void {
    // Who is admitted may give its room back at once, as all do at a shutdown: one inside the other, thousands of them
    // would overflow the stack.
    if (this.admitting) return;
    this.admitting = true;
    try {
      while (this.waiting.length > 0 && this.fits(this.waiting[0]!.bytes)) {
        const next = this.waiting.shift()!;
        this.take(next.bytes);
        next.admit();
      }
    } finally {
      this.admitting = false;
    }
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
