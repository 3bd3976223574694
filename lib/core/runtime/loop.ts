import { AsyncResource } from 'node:async_hooks';
import type { Clock } from './clock.js';

export interface LoopOptions {
  /** Appears in errors and log lines, e.g. `fetch orders/billing`. */
  name: string;
  clock: Clock;
  /**
   * One pass. Resolves with the milliseconds to wait before the next one (0 = at once). The signal aborts when
   * the loop is stopped: a pass that blocks must then end soon.
   */
  step(signal: AbortSignal): Promise<number>;
  /** Told about every failed pass; the loop goes on after a growing pause whatever this does. */
  onError(error: unknown, failures: number): void;
  /** Shortest and longest pause after failed passes. Defaults 50 and 5 000. */
  backOffMs?: { from: number; to: number };
}

/**
 * Background work belongs to nobody: without this, a loop that a request or a transaction happened to start would go on
 * in its async context for ever, and so would whatever the loop calls.
 */
const nobody = new AsyncResource('Rivulet');

/**
 * The one way to run in the background and the one way to stop.
 *
 * Passes never overlap. A failing pass is repeated after a real pause (50 ms doubling to 5 s, with jitter), so
 * that a dead store cannot starve the event loop. `wake` cuts the current wait short; a wake during a pass is
 * remembered.
 */
export class Loop {
  private readonly options: LoopOptions;
  private readonly aborter = new AbortController();
  private running: Promise<void> | undefined;
  /** Ends the pause under way. */
  private endPause: (() => void) | undefined;
  private woken = false;

  constructor(options: LoopOptions) {
    this.options = options;
  }

  get name(): string {
    return this.options.name;
  }

  start(): this {
    this.running ??= nobody.runInAsyncScope(() => this.run());
    return this;
  }

  /** Begin the next pass now instead of later. */
  wake(): void {
    this.woken = true;
    this.endPause?.();
  }

  /** Resolves when the pass under way is done; nothing runs afterwards. Safe to call again. */
  async stop(): Promise<void> {
    this.aborter.abort();
    this.endPause?.();
    await this.running;
  }

  private async run(): Promise<void> {
    const { step, onError } = this.options;
    const { signal } = this.aborter;
    let failures = 0;
    while (!signal.aborted) {
      this.woken = false;
      let waitMs: number;
      try {
        waitMs = await step(signal);
        failures = 0;
      } catch (error) {
        if (signal.aborted) return;
        failures += 1;
        try {
          onError(error, failures);
        } catch {
          // A logger that fails must not end what it reports about.
        }
        waitMs = this.pauseMs(failures);
        await this.wait(waitMs);
        continue;
      }
      if (waitMs > 0 && !this.woken) await this.wait(waitMs);
    }
  }

  private wait(waitMs: number): Promise<void> {
    if (this.aborter.signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const end = (): void => {
        this.endPause = undefined;
        cancel();
        resolve();
      };
      const cancel = this.options.clock.after(waitMs, end);
      this.endPause = end;
    });
  }

  private pauseMs(failures: number): number {
    const { from, to } = this.options.backOffMs ?? { from: 50, to: 5_000 };
    return Math.min(from * 2 ** (failures - 1), to) * (0.75 + Math.random() / 2);
  }
}
