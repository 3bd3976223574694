/** A connection of pg or mysql2 that answers each statement as it is told to, and remembers whether its pool was to drop it. */
export class ScriptedConnection {
  givenUp = false;

  constructor(private readonly answer: (sql: string) => Promise<unknown>) {}

  query(sql: string): Promise<unknown> {
    return this.answer(sql);
  }
  on(): void {}
  off(): void {}
  listenerCount(): number {
    return 1;
  }
  release(broken?: Error): void {
    this.givenUp = broken !== undefined;
  }
  destroy(): void {
    this.givenUp = true;
  }

  /** The pool that hands it out, and answers by itself as it does. */
  get pool(): never {
    const take = (): Promise<this> => Promise.resolve(this);
    const whole = new ScriptedConnection(this.answer);
    return Object.assign(whole, { connect: take, getConnection: take }) as never;
  }
}
