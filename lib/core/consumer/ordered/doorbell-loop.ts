import type { Clock } from '../../runtime/clock.js';
import { Loop } from '../../runtime/loop.js';
import type { LogPosition } from '../../store/message-log.js';
import type { Doorbell } from '../../store/queue-lease-store.js';
import type { LeasedQueue } from './leased-queue.js';

export interface DoorbellLoopOptions {
  name: string;
  /** Of whatever topics; may change while the loop runs. */
  queues(): Iterable<LeasedQueue>;
  doorbell: Doorbell;
  clock: Clock;
  blockMs: number;
  onError(error: unknown): void;
}

/** Nothing is armed: whoever reads to the end of its queue wakes this. */
const IDLE_MS = 60_000;
/** So long a queue that rang has to read before the others are listened to without it. */
const PATIENCE_MS = 20;

/** Waits, for all owned queues together, until one of them has something new. */
export class DoorbellLoop {
  private readonly options: DoorbellLoopOptions;
  private readonly loop: Loop;
  private listening: { to: number; end: AbortController } | undefined;
  private onDrained: (() => void) | undefined;

  constructor(options: DoorbellLoopOptions) {
    this.options = options;
    this.loop = new Loop({
      name: options.name,
      clock: options.clock,
      step: (signal) => this.listen(signal),
      onError: (error) => options.onError(error),
    });
  }

  start(): void {
    this.loop.start();
  }

  async stop(): Promise<void> {
    const stopped = this.loop.stop();
    this.listening?.end.abort();
    this.onDrained?.();
    await this.options.doorbell.close();
    await stopped;
  }

  /** A queue has read everything there is. */
  drained(): void {
    if (this.onDrained) return this.onDrained();
    this.loop.wake();
    // It listens to fewer queues than there are to listen to.
    if (this.listening && this.armed().length > this.listening.to) this.listening.end.abort();
  }

  private armed(): LeasedQueue[] {
    return [...this.options.queues()].filter(({ waitsBehind }) => waitsBehind !== undefined);
  }

  private async listen(signal: AbortSignal): Promise<number> {
    const { doorbell, blockMs } = this.options;
    const armed = this.armed();
    if (armed.length === 0) return IDLE_MS;
    const end = new AbortController();
    this.listening = { to: armed.length, end };
    const positions = armed.map(({ ref, waitsBehind }) => ({ ...ref, after: waitsBehind! }));
    let ringing: Set<LogPosition>;
    try {
      ringing = new Set(await doorbell.wait({ positions, blockMs, signal: end.signal }));
    } finally {
      this.listening = undefined;
    }
    const rung = armed.filter((_, i) => ringing.has(positions[i]!));
    for (const queue of rung) queue.ring();
    if (rung.length > 0 && !signal.aborted) await this.untilRead(rung);
    return 0;
  }

  /** Most of the time all that rang is read at once, and one wait covers all queues again. */
  private untilRead(rung: readonly LeasedQueue[]): Promise<void> {
    return new Promise((resolve) => {
      const go = (): void => {
        cancel();
        this.onDrained = undefined;
        resolve();
      };
      const cancel = this.options.clock.after(PATIENCE_MS, go);
      this.onDrained = () => {
        if (rung.every(({ waitsBehind }) => waitsBehind !== undefined)) go();
      };
    });
  }
}
