import type { PatternRegistration } from '../explorer.js';

/**
 * The names of the handlers that Nest registers. Of a handler it hands over the extras, and those of a method that several
 * controllers inherit are one object: which of them it is, only the order tells.
 */
export class PatternOrigins {
  private readonly left = new Map<object, string[]>();

  constructor(registrations: readonly PatternRegistration[]) {
    for (const { origin, extras } of registrations)
      this.left.set(extras, [...(this.left.get(extras) ?? []), origin]);
  }

  /** `ClassName.methodName` of the next registration with these extras. */
  next(extras: object): string | undefined {
    return this.left.get(extras)?.shift();
  }
}
