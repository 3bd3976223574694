/** Holds handlers back until it is opened. */
export class Gate {
  private readonly waiting: (() => void)[] = [];
  private isOpen = false;

  pass(): Promise<void> {
    return this.isOpen ? Promise.resolve() : new Promise((resolve) => this.waiting.push(resolve));
  }

  async open(): Promise<void> {
    this.isOpen = true;
    for (const go of this.waiting.splice(0)) go();
    await Promise.resolve();
  }
}
