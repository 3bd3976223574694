import { ClosedError, StoreUnavailableError } from '../core/message/errors.js';
import { type Clock, sleep } from '../core/runtime/clock.js';
import type { Availability } from '../core/store/stores.js';

/** The way from one client to the shared state: a test cuts it, and loses replies on it. */
export class MemoryGate implements Availability {
  readonly name = 'the store in memory';
  readonly clock: Clock;
  private down: Error | undefined;
  private closed = false;
  private repliesToLose = 0;
  private readonly listeners = new Set<(ready: boolean, error?: Error) => void>();
  private readonly interrupts = new Set<() => void>();

  constructor(clock: Clock) {
    this.clock = clock;
  }

  get ready(): boolean {
    return !this.down && !this.closed;
  }

  get why(): string | undefined {
    return this.down?.message;
  }

  onChange(listener: (ready: boolean, error?: Error) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  onReached(listener: () => void): () => void {
    return this.onChange((ready) => {
      if (ready) listener();
    });
  }

  /** Called when waiting calls must look again whether the gate is still open. Returns the function that stops it. */
  onInterrupt(listener: () => void): () => void {
    this.interrupts.add(listener);
    return () => this.interrupts.delete(listener);
  }

  /** Every failure is a rejection, also what `act` throws. */
  async call<T>(act: () => T): Promise<T> {
    this.enter();
    return this.answer(act());
  }

  /** @throws ClosedError or StoreUnavailableError; nothing was done. */
  enter(): void {
    if (this.closed)
      throw new ClosedError('The memory stores are closed; nothing was done. Open new ones.');
    if (this.down)
      throw new StoreUnavailableError(
        'The memory stores are down; nothing was done. Call comeUp() first.',
        {
          cause: this.down,
        },
      );
  }

  /** Hands the reply over, or loses it. */
  answer<T>(reply: T): T {
    if (this.repliesToLose === 0) return reply;
    this.repliesToLose -= 1;
    throw new StoreUnavailableError(
      'The reply of the memory stores was lost; the call was carried out. Repeat it.',
    );
  }

  goDown(error: Error = new Error('taken down by a test')): void {
    if (this.down) return;
    this.down = error;
    this.interrupt();
    this.announce(false, error);
  }

  comeUp(): void {
    if (!this.down) return;
    this.down = undefined;
    this.interrupt();
    this.announce(true);
  }

  loseReplies(count: number): void {
    this.repliesToLose = count;
  }

  close(): void {
    this.closed = true;
    this.interrupt();
  }

  async open(timeoutMs: number): Promise<void> {
    const opened = new AbortController();
    const off = this.onInterrupt(() => opened.abort());
    if (this.down && !this.closed) await sleep(this.clock, timeoutMs, opened.signal);
    off();
    this.enter();
  }

  private interrupt(): void {
    for (const listener of [...this.interrupts]) listener();
  }

  private announce(ready: boolean, error?: Error): void {
    for (const listener of [...this.listeners]) listener(ready, error);
  }
}

/** Begins to listen and calls `wake` once; returns the function that stops listening. */
export type WakeSource = (wake: () => void) => () => void;

export const onAbort =
  (signal: AbortSignal): WakeSource =>
  (wake) => {
    signal.addEventListener('abort', wake, { once: true });
    return () => signal.removeEventListener('abort', wake);
  };

/** Resolves as soon as one of the sources wakes. Listening begins before this returns, so nothing is missed. */
export function firstOf(sources: readonly WakeSource[]): Promise<void> {
  return new Promise((resolve) => {
    const offs: (() => void)[] = [];
    const wake = (): void => {
      for (const off of offs) off();
      resolve();
    };
    for (const source of sources) offs.push(source(wake));
  });
}
