import { StoreRefusedError } from './message/errors.js';
import type { Clock } from './runtime/clock.js';
import type { Events } from './runtime/events.js';
import type { Logger } from './runtime/logger.js';
import { Loop } from './runtime/loop.js';
import type { StoreHealth, StoreProblem } from './runtime/store-health.js';

export interface HealthWatchOptions {
  health(): Promise<StoreHealth>;
  clock: Clock;
  events: Events;
  logger: Logger;
}

const EVERY_MS = 60_000;

/**
 * Asks the store for its health when it is there and each minute from then on: a setting that loses messages can be
 * changed behind the back of an application that would not have started with it. What is new is told once.
 */
export class HealthWatch {
  private readonly options: HealthWatchOptions;
  private readonly loop: Loop;
  private known = new Map<string, StoreProblem>();
  private isRefused = false;

  constructor(options: HealthWatchOptions) {
    this.options = options;
    this.loop = new Loop({
      name: 'health',
      clock: options.clock,
      step: async () => {
        this.tell(await options.health());
        return EVERY_MS;
      },
      onError: (error) => this.failed(error),
    });
  }

  start(): void {
    this.loop.start();
  }

  stop(): Promise<void> {
    return this.loop.stop();
  }

  /** A store that cannot be asked is lost or will be asked again: others tell about that. Who may not ask is told here. */
  private failed(error: unknown): void {
    if (this.isRefused || !(error instanceof StoreRefusedError) || error.reason !== 'NOPERM')
      return;
    this.isRefused = true;
    this.options.logger.warn(`The health of the store is not watched any more: ${error.message}`);
  }

  private tell(health: StoreHealth): void {
    const { events, logger } = this.options;
    this.isRefused = false;
    const found = new Map(health.problems.map((problem) => [nameOf(problem), problem]));
    const news = [...found].filter(([name, { level }]) => this.known.get(name)?.level !== level);
    const gone = [...this.known].filter(([name]) => !found.has(name));
    this.known = found;
    for (const [, { level, text }] of news) logger[level === 'error' ? 'error' : 'warn'](text);
    for (const [, { text }] of gone) logger.log(`No longer so: ${text}`);
    if (news.length > 0 || gone.length > 0) events.emit('health', health);
  }
}

/** Not its text: that says how much of something is in use. */
function nameOf({ code, target = '' }: StoreProblem): string {
  return `${code} ${target}`;
}
