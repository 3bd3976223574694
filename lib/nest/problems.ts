import { InvalidOptionsError } from '../core/message/errors.js';

/** Collects what is wrong with several handlers, so that a start that fails names everything at once. */
export class Problems {
  private readonly errors: InvalidOptionsError[] = [];

  add(where: string, problems: readonly string[]): void {
    if (problems.length > 0) this.errors.push(new InvalidOptionsError(where, problems));
  }

  /** Runs something that may find more. Answers undefined then. */
  async collect<T>(work: () => T | Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof InvalidOptionsError)) throw error;
      this.errors.push(error);
      return undefined;
    }
  }

  /** @throws InvalidOptionsError: the only one as it was, several in one. */
  refuse(): void {
    const [first, second] = this.errors;
    if (!first) return;
    if (!second) throw first;
    throw new InvalidOptionsError(
      `${this.errors.length} problems with handlers`,
      this.errors.map(({ message }) => message),
    );
  }
}
