/** After a body that is too large most are: so many go by untried. */
const PASSED_BY = 15;

/** When a body may be written as JSON into memory that all bodies share: one at a time, and not shortly after one that found no room. */
export class JsonTries {
  /** Getters of a body are code of an application, which may send or answer. */
  private isWriting = false;
  private toPassBy = 0;

  /** Whether to try; if so, `end` follows. */
  begin(): boolean {
    if (this.isWriting) return false;
    if (this.toPassBy > 0) {
      this.toPassBy -= 1;
      return false;
    }
    this.isWriting = true;
    return true;
  }

  foundNoRoom(): void {
    this.toPassBy = PASSED_BY;
  }

  end(): void {
    this.isWriting = false;
  }
}
