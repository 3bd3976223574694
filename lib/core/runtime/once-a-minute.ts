import type { Clock } from './clock.js';

const EVERY_MS = 60_000;
/** Lines may name what there is any number of. */
const MOST_KEYS = 1_000;

/** What fails again and again is said again only after a minute. */
export class OnceAMinute {
  private readonly clock: Clock;
  private readonly said = new Map<string, { at: number; unsaid: number }>();

  constructor(options: { clock: Clock }) {
    this.clock = options.clock;
  }

  /** @returns how often it was left unsaid since it was last said, or undefined: it is not to be said now. */
  says(key: string): number | undefined {
    const now = this.clock.monotonic();
    const last = this.said.get(key);
    if (last && now - last.at < EVERY_MS) {
      last.unsaid += 1;
      return undefined;
    }
    if (!last && this.said.size >= MOST_KEYS) this.said.clear();
    this.said.set(key, { at: now, unsaid: 0 });
    return last?.unsaid ?? 0;
  }
}
