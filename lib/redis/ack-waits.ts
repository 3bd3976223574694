import { StoreRefusedError, StoreUnavailableError } from '../core/message/errors.js';
import { withoutPeriod } from '../core/message/sentence.js';
import { isReached } from '../core/producer/wanted-acks.js';
import type { AcksReached, AcksWanted } from '../core/store/message-log.js';
import type { Connection } from './connection.js';
import { answer } from './errors.js';
import { scripts } from './scripts.js';
import { parseInfo } from './server-check.js';

/** One WAIT holds the connection about so long: calls that came meanwhile are carried out after it. */
const SLICE_MS = 100;
const TOUCH_LIFE_MS = 60_000;

export interface AckWait {
  wanted: AcksWanted;
  /** When the answer is due however far it came, by the monotonic clock. */
  until: number;
  /** Of the connection, when what is waited for was carried out on it. */
  era: number;
  /** What is waited for may have been written earlier, also by others. */
  touch: boolean;
}

interface Waiting extends AckWait {
  /** By WAITs that were sent after it was carried out; undefined until one has ended. */
  reached: AcksReached | undefined;
  /** How many replicas there are; asked once they did not come at once. */
  connected: number | undefined;
  isDue: boolean;
  timer: NodeJS.Timeout;
  resolve(reached: AcksReached): void;
  reject(error: Error): void;
}

/**
 * Asks on one connection how far what was carried out there is stored: one WAIT at a time, for all who wait.
 *
 * A server ends a WAIT up to a tenth of a second late while nothing else happens, so whose time is up is answered with
 * what the one before said. Only where there was none the answer is late.
 */
export class AckWaits {
  private readonly connection: Connection;
  private readonly touchKey: string;
  private readonly waiting = new Set<Waiting>();
  private isAsking = false;

  constructor(options: { connection: Connection; touchKey: string }) {
    this.connection = options.connection;
    this.touchKey = options.touchKey;
  }

  /**
   * How far it came, at the latest when its time is up.
   *
   * @throws StoreUnavailableError nobody knows: the connection was lost in between, or what has to be written first was refused.
   */
  reached(wait: AckWait): Promise<AcksReached> {
    return new Promise((resolve, reject) => {
      const leftMs = Math.max(0, wait.until - performance.now());
      const one: Waiting = {
        ...wait,
        reached: undefined,
        connected: undefined,
        isDue: false,
        resolve,
        reject,
        timer: setTimeout(() => {
          one.isDue = true;
          this.answerDue(one);
        }, leftMs),
      };
      this.waiting.add(one);
      void this.ask();
    });
  }

  private async ask(): Promise<void> {
    if (this.isAsking) return;
    this.isAsking = true;
    while (this.waiting.size > 0) {
      const asked = [...this.waiting];
      try {
        const { reached, untouched } = await this.askOnce(asked);
        for (const one of asked)
          if (untouched && one.touch) this.end(one, () => one.reject(lost(untouched)));
          else this.note(one, reached);
      } catch (error) {
        for (const one of asked) this.end(one, () => one.reject(lost(error)));
      }
    }
    this.isAsking = false;
  }

  private note(one: Waiting, reached: AcksReached): void {
    one.reached = reached;
    if (one.era !== this.connection.era) this.end(one, () => one.reject(lost()));
    else if (isReached(one.wanted, reached)) this.end(one, () => one.resolve(reached));
    else this.answerDue(one);
  }

  /** Its time is up: how far it came, and why not further, as soon as that is known. */
  private answerDue(one: Waiting): void {
    const { isDue, reached, connected, wanted } = one;
    if (!isDue || !reached) return;
    if (reached.replicas >= wanted.replicas) this.end(one, () => one.resolve(reached));
    else if (connected !== undefined) this.end(one, () => one.resolve({ ...reached, connected }));
  }

  /** Whoever was answered before is not answered again. */
  private end(one: Waiting, answerIt: () => void): void {
    if (!this.waiting.delete(one)) return;
    clearTimeout(one.timer);
    answerIt();
  }

  /** `untouched`: why nothing was written for those who need it; what the others hear is as good. */
  private async askOnce(
    asked: readonly Waiting[],
  ): Promise<{ reached: AcksReached; untouched: unknown }> {
    const { redis } = this.connection;
    const replicas = Math.max(...asked.map(({ wanted }) => wanted.replicas));
    const disk = asked.some(({ wanted }) => wanted.disk);
    const [, untouched, [onDisk], confirmed] = await Promise.all([
      // They did not come at once: perhaps there are not so many.
      asked.some(({ reached }) => reached) && replicas > 0 && this.count(asked),
      // Newer servers wait for what this connection wrote, no more: behind this stands whatever was written before.
      asked.some(({ touch }) => touch) ? this.writeSomething() : undefined,
      disk
        ? answer(
            { operation: 'WAITAOF' },
            redis.call('WAITAOF', 1, 0, SLICE_MS) as Promise<[number]>,
          )
        : [0],
      replicas > 0 ? answer({ operation: 'WAIT' }, redis.wait(replicas, SLICE_MS)) : 0,
    ]);
    return { reached: { disk: onDisk > 0, replicas: confirmed }, untouched };
  }

  private async count(asked: readonly Waiting[]): Promise<void> {
    const info = await answer({ operation: 'INFO' }, this.connection.redis.info('replication'));
    for (const one of asked) {
      one.connected = Number(parseInfo(info)['connected_slaves'] ?? 0);
      this.answerDue(one);
    }
  }

  /** @returns why nothing was written. */
  private writeSomething(): Promise<unknown> {
    const host = { redis: this.connection.redis, testTimeMs: '' };
    const call = { keys: { probe: this.touchKey }, args: { ttlMs: String(TOUCH_LIFE_MS) } };
    return scripts.touch.run(host, call).then(
      () => undefined,
      (error: unknown) => error,
    );
  }
}

/** The call itself was carried out: whatever became of the question how far, nothing was refused. */
function lost(cause?: unknown): StoreUnavailableError {
  const why =
    cause instanceof StoreRefusedError
      ? withoutPeriod(cause.message)
      : `the connection was lost${cause instanceof Error ? `: ${withoutPeriod(cause.message)}` : ''}`;
  return new StoreUnavailableError(
    `Replicas or disk were not heard of: ${why}. How far the call is stored is not known`,
    { cause },
  );
}
