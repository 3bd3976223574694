import { tryingAgain } from './consumer/outcome.js';
import { ClosedError, isAway, StoreRefusedError } from './message/errors.js';
import type { Clock } from './runtime/clock.js';
import { inWords } from './runtime/duration.js';
import type { Logger } from './runtime/logger.js';
import { Loop } from './runtime/loop.js';
import { OnceAMinute } from './runtime/once-a-minute.js';
import type { Availability } from './store/stores.js';

export interface StoreTroublesOptions {
  availability: Availability;
  clock: Clock;
  logger: Logger;
  /** How long a send waits for the store. */
  sendTimeoutMs: number;
}

interface Outage {
  /** By the monotonic clock. */
  readonly since: number;
  /** For people. */
  readonly at: string;
  readonly reminders: Loop;
  failures: number;
}

const REMIND_EVERY_MS = 60_000;
/** What began while the store was away may still fail for that reason. */
const AFTERMATH_MS = 10_000;
/** Failures that go on for so long, although the store is there, are told. Fewer are the beginning of an outage, or no matter. */
const PATIENCE_MS = 10_000;
/** After such a silence they are others. */
const FORGET_AFTER_MS = 30_000;

/** Refusals that concern everything: one line speaks for all that is refused. */
const OF_THE_WHOLE_STORE = new Set([
  'OOM',
  'MISCONF',
  'READONLY',
  'BUSY',
  'CLUSTERDOWN',
  'NOREPLICAS',
  'NOAUTH',
]);

/**
 * What people read when the store cannot be used: a line when an outage begins, one a minute while it lasts, and one when it is
 * over, for the whole instance. What fails meanwhile in the background fails for that reason, and is tried again: it is counted,
 * and written at level `debug`.
 */
export class StoreTroubles {
  private readonly options: StoreTroublesOptions;
  private readonly onceAMinute: OnceAMinute;
  private outage: Outage | undefined;
  private wasBackAt = -Infinity;
  /** Since when, and until when, calls failed although the store was there. */
  private unanswered: { first: number; last: number } | undefined;

  constructor(options: StoreTroublesOptions) {
    this.options = options;
    this.onceAMinute = new OnceAMinute({ clock: options.clock });
  }

  /** The store was reached: whatever changes is told, until the returned function is called. */
  watch(): () => void {
    const { availability, logger } = this.options;
    logger.log(`Connected to ${availability.name}`);
    const stop = availability.onChange((ready) => (ready ? this.end() : this.begin()));
    if (!availability.ready) this.begin();
    return () => {
      stop();
      void this.outage?.reminders.stop();
      this.outage = undefined;
    };
  }

  /** Something in the background failed, and is tried again: by this or, where `doing` says so, by others. */
  tell(doing: string, error: unknown): void {
    const { availability, logger } = this.options;
    const line = `Could not ${doing}: ${tryingAgain(error)}`;
    // It was closed on purpose, and what was still under way with it.
    if (error instanceof ClosedError) return logger.debug(line);
    if (!isOfOutage(error)) return this.warn(keyOf(error) ?? line, line);
    if (this.outage) this.outage.failures += 1;
    if (!availability.ready || !this.goesOn()) return logger.debug(line);
    this.warn('away', `${availability.name} does not answer every call. ${line}`);
  }

  /** Whether calls have failed for a while, although the store is there. */
  private goesOn(): boolean {
    const now = this.options.clock.monotonic();
    if (now - this.wasBackAt < AFTERMATH_MS) return false;
    if (!this.unanswered || now - this.unanswered.last > FORGET_AFTER_MS)
      this.unanswered = { first: now, last: now };
    this.unanswered.last = now;
    return now - this.unanswered.first >= PATIENCE_MS;
  }

  private warn(key: string, line: string): void {
    const unsaid = this.onceAMinute.says(key);
    if (unsaid === undefined) return this.options.logger.debug(line);
    this.options.logger.warn(
      unsaid > 0 ? `${line} It failed ${unsaid} more times in between.` : line,
    );
  }

  private begin(): void {
    if (this.outage) return;
    this.unanswered = undefined;
    const { clock, logger } = this.options;
    const since = clock.monotonic();
    const reminders = new Loop({
      name: 'reminders of an outage',
      clock,
      step: () => Promise.resolve(this.remind()),
      onError: () => {},
    });
    this.outage = { since, at: new Date(clock.now()).toISOString(), reminders, failures: 0 };
    logger.warn(`${this.options.availability.name} is away${this.why()}. ${this.whatFollows()}`);
    reminders.start();
  }

  /** @returns when to remind again, in milliseconds from now. */
  private remind(): number {
    const { outage } = this;
    const { availability, clock, logger } = this.options;
    const lastedMs = outage ? clock.monotonic() - outage.since : 0;
    if (outage && lastedMs >= REMIND_EVERY_MS)
      logger.error(
        `${availability.name} has been away for ${inWords(lastedMs)}, since ${outage.at}${this.why()}. ${this.whatFollows()}`,
      );
    return REMIND_EVERY_MS;
  }

  private end(): void {
    const { outage } = this;
    if (!outage) return;
    const { availability, clock, logger } = this.options;
    this.outage = undefined;
    void outage.reminders.stop();
    this.wasBackAt = clock.monotonic();
    const failed =
      outage.failures > 0
        ? `; what failed meanwhile, ${outage.failures} times, is tried again`
        : '';
    // As loud as the beginning: who was told of that must hear of the end.
    logger.warn(
      `${availability.name} is back after ${inWords(this.wasBackAt - outage.since)}${failed}.`,
    );
  }

  private why(): string {
    const { why } = this.options.availability;
    return why === undefined ? '' : ` (${why})`;
  }

  private whatFollows(): string {
    return `Sends wait for it, up to ${this.options.sendTimeoutMs} ms; handlers that run go on and are settled afterwards; nothing new is delivered. It is tried again all the time: nothing here needs a restart.`;
  }
}

/** The store is away or still loading, or something failed for that reason: nobody but the connection can mend that. */
function isOfOutage(error: unknown): boolean {
  for (let each = error, deep = 0; each instanceof Error && deep < 3; each = each.cause, deep++)
    if (isAway(each) || (each instanceof StoreRefusedError && each.reason === 'LOADING'))
      return true;
  return false;
}

function keyOf(error: unknown): string | undefined {
  const reason = error instanceof StoreRefusedError ? error.reason : undefined;
  return reason !== undefined && OF_THE_WHOLE_STORE.has(reason) ? reason : undefined;
}
