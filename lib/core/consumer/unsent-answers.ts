/**
 * What the answers of this process have handed out and the store has not taken. A stream that is read slowly holds its handler
 * up; one that cannot be held up, as an Observable, has to end when there is too much.
 */
export class UnsentAnswers {
  private readonly most: number;
  private bytes = 0;

  constructor({ mostBytes }: { mostBytes: number }) {
    this.most = mostBytes;
  }

  take(bytes: number): void {
    this.bytes += bytes;
  }

  give(bytes: number): void {
    this.bytes -= bytes;
  }

  get isFull(): boolean {
    return this.bytes >= this.most;
  }
}
