import { AsyncLocalStorage } from 'node:async_hooks';
import { sleep, systemClock } from '../../core/runtime/clock.js';
import { sqlite } from './sqlite.js';

const FIRST_PAUSE_MS = 1;
const LONGEST_PAUSE_MS = 25;

/** How a client writes. `begin` and `commit` reject with SQLITE_BUSY while another process is in the way. */
export interface WriteSteps<Tx> {
  begin(): Promise<Tx>;
  commit(tx: Tx): Promise<void>;
  /** Rolls back what was not committed, and gives the connection back. */
  end(tx: Tx): void;
}

/**
 * SQLite has one writer at a time. Within this process writers take turns, first come, first served; the writer of another
 * process is asked again and again, since its end cannot be awaited.
 */
export class OneWriter<Tx> {
  private last: Promise<unknown> = Promise.resolve();
  private readonly inside = new AsyncLocalStorage<{ writing: boolean }>();

  constructor(
    private readonly steps: WriteSteps<Tx>,
    private readonly busyTimeoutMs: number,
  ) {}

  write<Result>(body: (tx: Tx) => Promise<Result>): Promise<Result> {
    if (this.inside.getStore()?.writing)
      return Promise.reject(
        new Error(
          'A transaction on SQLite began within another one: there is one writer, so it would wait for itself. Join ' +
            'the outer transaction or use a savepoint; "requires-new" needs another database.',
        ),
      );
    const turn = this.last.then(() => this.transact(body));
    this.last = turn.catch(() => undefined);
    return turn;
  }

  private async transact<Result>(body: (tx: Tx) => Promise<Result>): Promise<Result> {
    const tx = await this.retry(() => this.steps.begin());
    const here = { writing: true };
    try {
      const result = await this.inside.run(here, () => body(tx));
      await this.retry(() => this.steps.commit(tx));
      return result;
    } finally {
      here.writing = false;
      this.steps.end(tx);
    }
  }

  private async retry<T>(step: () => Promise<T>): Promise<T> {
    const giveUpAt = systemClock.monotonic() + this.busyTimeoutMs;
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
      try {
        return await step();
      } catch (error) {
        if (sqlite.faultOf(error) !== 'locked' || systemClock.monotonic() >= giveUpAt) throw error;
      }
      await sleep(systemClock, pauseMs);
    }
  }
}
