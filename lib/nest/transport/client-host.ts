import type { Logger } from '../../core/runtime/logger.js';
import type { Rivulet } from '../../core/rivulet.js';
import { loggerOf, rivuletOf, storesOf } from '../instance.js';
import { moduleSettings, type RivuletModuleOptions } from '../options.js';
import { withClockOf } from '../shared-clock.js';

/** Through what a client sends: the instance of a module, or one that it has for itself. */
export class ClientHost {
  readonly rivulet: Rivulet;
  readonly logger: Logger;
  private readonly connectTimeoutMs: number;
  private readonly isShared: boolean;
  private wasOpened = false;

  constructor(options: {
    rivulet: Rivulet;
    logger: Logger;
    connectTimeoutMs: number;
    /** Somebody else closes it. */
    isShared: boolean;
  }) {
    this.rivulet = options.rivulet;
    this.logger = options.logger;
    this.connectTimeoutMs = options.connectTimeoutMs;
    this.isShared = options.isShared;
  }

  /** Whether nothing has to be waited for before the first message. */
  get isConnected(): boolean {
    return this.wasOpened;
  }

  async connect(): Promise<void> {
    await this.rivulet.open(this.connectTimeoutMs);
    this.wasOpened = true;
  }

  close(): Promise<void> {
    return this.isShared ? Promise.resolve() : this.rivulet.stop();
  }
}

export function ownClientHost(options: RivuletModuleOptions): ClientHost {
  const given = moduleSettings(options, 'Options of RivuletClient');
  const logger = loggerOf(given, 'RivuletClient');
  const stores = storesOf(given, logger);
  const settings = withClockOf(stores, given, 'Options of RivuletClient');
  const rivulet = rivuletOf(settings, logger, stores);
  const { connectTimeoutMs } = settings;
  return new ClientHost({ rivulet, logger, connectTimeoutMs, isShared: false });
}
