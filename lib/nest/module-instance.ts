import type { ExternalContextCreator } from '@nestjs/core';
import type { Rivulet } from '../core/rivulet.js';
import type { Stores } from '../core/store/stores.js';
import { MessageAdmin } from '../inspect/message-admin.js';
import type { HandlerExplorer } from './explorer.js';
import { FailingFilters } from './failing-filters.js';
import { HandlerRunner } from './handler-runner.js';
import { loggerOf, rivuletOf } from './instance.js';
import { type HookOrder, RivuletLifecycle } from './lifecycle.js';
import { MessageConsumer } from './message-consumer.js';
import { MessageProducer } from './message-producer.js';
import type { ModuleSettings } from './options.js';
import { Subscriber } from './subscriber.js';
import { TransactionBinder } from './transaction-binder.js';
import { RivuletClient } from './transport/client.js';
import { ClientHost } from './transport/client-host.js';
import { PatternOrigins } from './transport/pattern-origins.js';
import { RivuletServer } from './transport/server.js';
import { ServerHost } from './transport/server-host.js';

export interface ModuleInstanceOptions {
  name: string | undefined;
  title: string;
  settings: ModuleSettings;
  stores: Stores;
  explorer: HandlerExplorer;
  creator: ExternalContextCreator;
  host: HookOrder | undefined;
}

/** Wires everything one `RivuletModule` provides. Starts nothing: that is up to the lifecycle. */
export class ModuleInstance {
  readonly rivulet: Rivulet;
  readonly producer: MessageProducer;
  readonly consumer: MessageConsumer;
  readonly admin: MessageAdmin;
  readonly lifecycle: RivuletLifecycle;
  readonly server: RivuletServer;
  readonly client: RivuletClient;

  constructor(options: ModuleInstanceOptions) {
    const { name, title, settings, stores, explorer, creator, host } = options;
    const logger = loggerOf(settings, title);
    const rivulet = (this.rivulet = rivuletOf(settings, logger, stores));
    this.producer = new MessageProducer({ rivulet, logger });
    this.consumer = new MessageConsumer({ rivulet, group: settings.group });
    this.admin = new MessageAdmin({ rivulet });

    const failing = new FailingFilters({ logger, clock: settings.clock });
    const runner = new HandlerRunner({ creator, failing });
    const subscriber = new Subscriber({ name, rivulet, settings, explorer, runner, logger });
    const binder = new TransactionBinder({ name, rivulet, explorer });
    const lifecycle = (this.lifecycle = new RivuletLifecycle({
      rivulet,
      settings,
      logger,
      host,
      subscribe: async () => {
        await subscriber.subscribeAll();
        await binder.bind();
      },
    }));

    const origins = new PatternOrigins(explorer.patternRegistrations());
    this.server = new RivuletServer(
      new ServerHost({
        name,
        rivulet,
        settings,
        logger,
        listen: () => lifecycle.listen(),
        close: () => lifecycle.stopConsuming(),
        nextOrigin: (extras) => origins.next(extras),
      }),
    );
    const { connectTimeoutMs } = settings;
    this.client = new RivuletClient(
      new ClientHost({ rivulet, logger, connectTimeoutMs, isShared: true }),
    );
  }
}
