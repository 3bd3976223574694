import { randomBytes } from 'node:crypto';
import { describeError } from './consumer/outcome.js';
import { Consumers } from './consumer/consumers.js';
import { IdleGroups } from './consumer/idle-groups.js';
import { Pulls } from './consumer/pull/pulls.js';
import { HealthWatch } from './health-watch.js';
import { Codecs } from './message/codecs.js';
import { InvalidOptionsError } from './message/errors.js';
import { isOptions } from './message/options.js';
import { Producer } from './producer/producer.js';
import type { NextRun } from './producer/recurrence.js';
import { RecurringSends } from './producer/recurring-sends.js';
import { Receipts } from './producer/receipts.js';
import { Requester } from './producer/requester.js';
import { SubscribedGroups } from './producer/subscribed-groups.js';
import { TopicDirectory } from './producer/topic-directory.js';
import { type Clock, systemClock } from './runtime/clock.js';
import { Events } from './runtime/events.js';
import { type Logger, silentLogger, steadyLogger } from './runtime/logger.js';
import { OnceAMinute } from './runtime/once-a-minute.js';
import type { Telemetry } from './runtime/telemetry.js';
import { TraceScope } from './runtime/trace.js';
import { type RivuletSettings, type RivuletSettingsInput, settingsFrom } from './settings.js';
import { StoreTime } from './store/store-time.js';
import { StoreTroubles } from './store-troubles.js';
import type { Stores } from './store/stores.js';
import { Subscriptions } from './subscriptions.js';
import { TransactionSupport } from './transaction/transaction-support.js';
import { Upkeep } from './upkeep.js';

export interface RivuletOptions {
  stores: Stores;
  settings?: RivuletSettingsInput;
  clock?: Clock;
  logger?: Logger;
  /** Reads cron expressions, for recurring sends. */
  nextRun?: NextRun;
  /** Traces and metrics, e.g. `openTelemetry()`. Default: none, at no cost. */
  telemetry?: Telemetry | undefined;
}

/** What an instance is made of. Nothing of it has been started. */
export interface Parts {
  stores: Stores;
  settings: RivuletSettings;
  clock: Clock;
  events: Events;
  member: string;
  topics: TopicDirectory;
  storeTime: StoreTime;
  troubles: StoreTroubles;
  health: HealthWatch;
  upkeep: Upkeep;
  /** Database transactions and transactions without a database. */
  support: TransactionSupport;
  producer: Producer;
  recurring: RecurringSends;
  receipts: Receipts;
  requester: Requester;
  consumers: Consumers;
  making: Subscriptions;
  pulls: Pulls;
  idleGroups: IdleGroups;
  telemetry: Telemetry | undefined;
  trace: TraceScope;
}

/** Gives each part what it needs. @throws InvalidOptionsError with every problem of the settings. */
export function makeParts(options: RivuletOptions, { open }: { open(): Promise<void> }): Parts {
  if (!isOptions(options) || !isOptions(options.stores))
    throw new InvalidOptionsError('Rivulet', [
      'stores are missing: new Rivulet({ stores }), as MemoryStores of nestjs-rivulet/testing; RivuletModule makes those of Redis',
    ]);
  const { stores, clock = stores.clock ?? systemClock } = options;
  const logger = steadyLogger(options.logger ?? silentLogger);
  const settings = settingsFrom(options.settings ?? {});
  const member = `m-${randomBytes(9).toString('base64url')}`;
  const events = new Events({ logger });
  const onceAMinute = new OnceAMinute({ clock });
  const trace = new TraceScope({
    telemetry: options.telemetry,
    onFailure: (error) => {
      if (onceAMinute.says('telemetry') !== undefined)
        logger.error(
          `Telemetry failed, and what it should have told of goes on without it: ${describeError(error)}`,
        );
    },
  });
  const storeTime = new StoreTime({ clock });
  const codecs = new Codecs({
    ...(settings.codec && { preferred: settings.codec }),
    others: settings.codecs,
  });
  const troubles = new StoreTroubles({
    availability: stores.availability,
    clock,
    logger,
    sendTimeoutMs: settings.producer.sendTimeoutMs,
  });
  const onTrouble = (doing: string, error: unknown): void => troubles.tell(doing, error);

  const topics = new TopicDirectory({
    registry: stores.topics,
    autoCreate: settings.autoCreateTopics,
    defaults: settings.topics,
    logger,
    onKnown: (info) => upkeep.look(info),
  });
  const health = new HealthWatch({
    health: () => stores.health(),
    clock,
    events,
    logger,
  });
  const upkeep: Upkeep = new Upkeep({
    stores,
    clock,
    events,
    storeTime,
    recurring: {
      fire: (name) => recurring.fire(name),
      noteAll: () => recurring.noteAll(),
    },
    topicsInUse: () => topics.all(),
    onTrouble,
  });
  const log = upkeep.watched(stores.log);
  const support: TransactionSupport = new TransactionSupport({
    stores,
    log,
    topics,
    producer: () => producer,
    codecs,
    storeTime,
    clock,
    events,
    logger,
    settings,
    noteRelease: (queue, at) => upkeep.noteRelease(queue, at),
    onTrouble,
  });
  const receipts = new Receipts({
    replies: stores.replies,
    deliveries: stores.deliveries,
    topics: stores.topics,
    clock,
    limits: settings.requests,
    onError: (error) => onTrouble('read receipts', error),
  });
  const producer: Producer = new Producer({
    receipts,
    enlistment: () => support.transactions.enlistment(),
    log,
    topics,
    groups: new SubscribedGroups({ registry: stores.topics, clock }),
    codecs,
    clock,
    events,
    trace,
    settings: settings.producer,
  });
  const recurring: RecurringSends = new RecurringSends({
    store: stores.recurring,
    producer,
    storeTime,
    nextRun: options.nextRun,
    logger,
    wait: { clock, timeoutMs: settings.producer.sendTimeoutMs },
    note: (name, at) => upkeep.noteRecurring(name, at),
  });
  const requester = new Requester({
    producer,
    replies: stores.replies,
    codecs,
    clock,
    timeoutMs: settings.requestTimeoutMs,
    limits: settings.requests,
    onError: (error) => onTrouble('read replies', error),
  });
  const consumers = new Consumers({
    member,
    stores,
    topics,
    tools: {
      codecs,
      trace,
      storeNow: () => storeTime.now(),
    },
    storeTime,
    clock,
    events,
    logger,
    timing: {
      ...settings.consumer,
      heartbeatMs: settings.heartbeatMs,
      deadAfterMs: settings.deadAfterMs,
    },
    orderedTiming: settings.ordered,
    onTrouble,
  });
  const making = new Subscriptions({
    consumers,
    transactions: support.transactions,
    stores,
    codecs,
    clock,
    events,
    logger,
    settings,
    trace,
    onTrouble,
  });
  const idleGroups = new IdleGroups({
    stores,
    clock,
    events,
    logger,
    settings: settings.idleGroups,
    topicsInUse: () => topics.all().map(({ topic }) => topic),
    joined: () => consumers.joined(),
    onError: (error) => onTrouble('look for groups without members', error),
  });
  const pulls = new Pulls({
    member,
    deliveries: stores.deliveries,
    clock,
    events,
    maxBytes: settings.consumer.maxInHandBytes,
    open: async (made) => {
      await open();
      await topics.demand(made.topic);
      return consumers.openPuller(made);
    },
  });

  return {
    stores,
    settings,
    clock,
    events,
    member,
    topics,
    storeTime,
    troubles,
    health,
    upkeep,
    support,
    producer,
    recurring,
    receipts,
    requester,
    consumers,
    making,
    pulls,
    idleGroups,
    telemetry: options.telemetry,
    trace,
  };
}
