import type {
  BeforeApplicationShutdown,
  OnApplicationBootstrap,
  OnApplicationShutdown,
  OnModuleDestroy,
  OnModuleInit,
} from '@nestjs/common';
import { isAway, type RivuletError, StoreUnavailableError } from '../core/message/errors.js';
import { withoutPeriod } from '../core/message/sentence.js';
import { sleep } from '../core/runtime/clock.js';
import { inWords } from '../core/runtime/duration.js';
import type { Logger } from '../core/runtime/logger.js';
import { OnceAMinute } from '../core/runtime/once-a-minute.js';
import type { Rivulet } from '../core/rivulet.js';
import type { ModuleSettings } from './options.js';

/** The part of Nest's `Module` that decides the order of hooks. */
export interface HookOrder {
  distance: number;
}

export interface LifecycleOptions {
  rivulet: Rivulet;
  settings: ModuleSettings;
  logger: Logger;
  /** The module this belongs to. */
  host: HookOrder | undefined;
  /** Makes the subscriptions of the application's `@Subscribe` handlers. */
  subscribe(): Promise<void>;
}

/** How long an application may start behind a transport that listens before that is worth a line. */
const STARTS_WITHIN_MS = 10_000;

/** How soon to try again: what only an operator can mend need not fill the log. */
const RETRY_MS = { unavailable: 1_000, refused: 30_000 };

/**
 * The one place that starts and stops an instance.
 *
 *   onModuleInit                subscriptions are made, the connection is opened
 *   onApplicationBootstrap      reading begins
 *   onModuleDestroy             reading ends, handlers finish and are settled; sending goes on
 *   beforeApplicationShutdown   HTTP servers close next, and wait for answers: from here on no longer than drainMs
 *   onApplicationShutdown       sends are confirmed, connections close
 *
 * A transport may listen before or after all of the first two, and close before or after the third: whoever comes first
 * does the work. `stop` and `stopConsuming` together never take longer than `drainMs`.
 */
export class RivuletLifecycle
  implements
    OnModuleInit,
    OnApplicationBootstrap,
    OnModuleDestroy,
    BeforeApplicationShutdown,
    OnApplicationShutdown
{
  private readonly options: LifecycleOptions;
  private readonly closing = new AbortController();
  private readonly onceAMinute: OnceAMinute;
  private isBootstrapped = false;
  private inBackground: Promise<void> | undefined;
  /** Something may have to be begun since the last try. */
  private hasNews = false;
  private cancelReminder = (): void => {};

  constructor(options: LifecycleOptions) {
    this.options = options;
    this.onceAMinute = new OnceAMinute(options.settings);
    // Nest starts global modules first and stops them last. Handlers need the opposite: every provider ready before the
    // first message, and none closed (a pool of database connections, say) before the last.
    if (options.host) options.host.distance = -1;
  }

  async onModuleInit(): Promise<void> {
    await this.orStop(this.options.subscribe());
    await this.connect();
  }

  async onApplicationBootstrap(): Promise<void> {
    this.isBootstrapped = true;
    this.cancelReminder();
    await this.begin();
  }

  /**
   * A transport begins to listen. Its subscriptions have been made.
   *
   * Resolves when every group exists; reading has begun then, too, unless the application is still starting: its
   * providers are not ready for messages, so reading waits for `onApplicationBootstrap`.
   */
  async listen(): Promise<void> {
    await this.connect();
    await this.begin();
    this.remindOfStart();
  }

  /** A transport closes, or the application begins to: whoever is first. */
  async stopConsuming(): Promise<void> {
    this.closing.abort();
    this.cancelReminder();
    await this.options.rivulet.stopConsuming();
  }

  onModuleDestroy(): Promise<void> {
    return this.stopConsuming();
  }

  beforeApplicationShutdown(): void {
    this.options.rivulet.endAnswersInTime();
  }

  async onApplicationShutdown(): Promise<void> {
    this.closing.abort();
    this.cancelReminder();
    await this.options.rivulet.stop();
  }

  private async connect(): Promise<void> {
    const { rivulet, settings } = this.options;
    if (settings.connectOnBoot === 'background') return this.goOnInBackground();
    await this.orStop(rivulet.open(settings.connectTimeoutMs));
  }

  private async begin(): Promise<void> {
    const { settings } = this.options;
    if (settings.connectOnBoot === 'background') return this.goOnInBackground();
    // A connection that breaks while the application starts, or a failover then, has as long as the first one had.
    await this.orStop(this.goOn(settings.connectTimeoutMs));
  }

  /** As far as may be now; a store that goes away meanwhile has so long to come back. */
  private async goOn(timeoutMs: number): Promise<void> {
    const { settings, rivulet } = this.options;
    if (!settings.consume) return;
    if (this.isBootstrapped) await rivulet.consume(timeoutMs);
    else await rivulet.joinGroups(timeoutMs);
  }

  /** Nest's own transports read also where the application never starts: who comes from them may not start it. */
  private remindOfStart(): void {
    const { settings, logger } = this.options;
    if (this.isBootstrapped || !settings.consume || this.closing.signal.aborted) return;
    this.cancelReminder();
    this.cancelReminder = settings.clock.after(STARTS_WITHIN_MS, () => {
      logger.warn(
        `The transport has listened for ${STARTS_WITHIN_MS / 1_000} s, and nothing is read yet: messages wait until the application has started. After app.startAllMicroservices() call app.init(), or app.listen() where there is HTTP, too.`,
      );
    });
  }

  private goOnInBackground(): void {
    this.hasNews = true;
    this.inBackground ??= this.keepTrying();
  }

  private async keepTrying(): Promise<void> {
    const { rivulet, settings, logger } = this.options;
    const { signal } = this.closing;
    let failedAt: number | undefined;
    while (this.hasNews && !signal.aborted) {
      this.hasNews = false;
      try {
        await rivulet.open(settings.connectTimeoutMs);
        await this.goOn(0);
        if (failedAt !== undefined) this.sayGoingOn(failedAt);
        failedAt = undefined;
      } catch (error) {
        if (signal.aborted) break;
        failedAt ??= settings.clock.monotonic();
        const { message } = error as Error;
        if (this.onceAMinute.says(message) !== undefined)
          logger.error(
            `Not consuming yet, messages wait: ${withoutPeriod(message)}. Trying again.`,
          );
        this.hasNews = true;
        const why = isAway(error) ? 'unavailable' : 'refused';
        await sleep(settings.clock, RETRY_MS[why], signal);
      }
    }
    this.inBackground = undefined;
  }

  /** As loud as what was said before. */
  private sayGoingOn(failedAt: number): void {
    const { settings, logger } = this.options;
    const after = inWords(settings.clock.monotonic() - failedAt);
    logger.warn(`Consuming now, ${after} after the first try failed.`);
  }

  /** Whatever keeps trying to connect would keep the process of a failed start alive. */
  private async orStop(work: Promise<void>): Promise<void> {
    try {
      await work;
    } catch (error) {
      this.cancelReminder();
      await this.options.rivulet.stop(0);
      throw isAway(error) ? bootFailed(error) : error;
    }
  }
}

function bootFailed(error: RivuletError): StoreUnavailableError {
  return new StoreUnavailableError(
    `RivuletModule could not connect: ${error.message}. The application does not start. Start Redis, correct the option "connection", or set connectOnBoot to "${'background' satisfies ModuleSettings['connectOnBoot']}" to start without it.`,
    { cause: error },
  );
}
