import { EventEmitter } from 'node:events';
import type { StoreHealth } from './store-health.js';
import type { Logger } from './logger.js';

/** Everything worth counting or waiting for, and what is known about it. Bodies never travel here. */
export interface RivuletEvents {
  published: {
    topic: string;
    queue: number;
    messageId: string;
    key: string | undefined;
    state: string;
  };
  'publish-failed': {
    topic: string;
    messageId: string;
    outcome: 'failed' | 'unknown';
    error: Error;
  };
  delivered: DeliveryFacts;
  acked: DeliveryFacts;
  /** The filter of the subscription did not want it; it is settled. */
  filtered: DeliveryFacts;
  retried: DeliveryFacts & { delayMs: number; error: string };
  /** A broadcast that was not handled; it is not tried again. */
  dropped: DeliveryFacts & { reason: string; error: string | undefined };
  'dead-lettered': DeliveryFacts & { reason: string; error: string | undefined };
  /** It had been handled before, under this dedup key: acked without its handler. */
  duplicate: DeliveryFacts & { dedupKey: string };
  /** A handler outlived its claim, and another one handled the same work: its effects may have happened twice. */
  'claim-lost': DeliveryFacts & { dedupKey: string };
  /** A message of an ordered subscription used up its attempts; what follows in its lane waits for the operator. */
  'lane-parked': DeliveryFacts & {
    messageGroup: string | undefined;
    reason: string;
    error: string | undefined;
  };
  /** A message of an ordered subscription used up its attempts and is left out. */
  'message-skipped': DeliveryFacts & { reason: string; error: string | undefined };
  /** This process owns the queue for an ordered subscription from now on. */
  'queue-acquired': { topic: string; queue: number; group: string; fencingToken: number };
  /** It gave the queue back; nothing of it runs here any more. */
  'queue-released': { topic: string; queue: number; group: string };
  /** It is not the owner any more, without having given the queue back; its handlers were told by their signals. */
  'queue-lost': { topic: string; queue: number; group: string; why: string };
  /**
   * As many lanes of the queue are parked as `ordered.maxParkedLanes` allows: an alarm. Nothing more of it is read until an operator
   * lets some of them go on.
   */
  'lanes-full': { topic: string; queue: number; group: string; parkedLanes: number };
  /**
   * The topic grew, and an ordered group does not read queue `queue` yet, because of what was sent before to queue `behind`;
   * told when the reason changes, by the member that would own it.
   */
  'queue-gated': {
    topic: string;
    queue: number;
    group: string;
    behind: number;
    waitsFor: 'unread' | 'unsettled' | 'parked' | 'scheduled' | 'half' | 'gated';
    messageGroups: readonly string[];
  };
  /** A settle came after the message had been given to somebody else; nothing changed. */
  'settle-refused': DeliveryFacts;
  /** The consumer died or lost its replies; its deliveries are handed out again. */
  reclaimed: { topic: string; queue: number; group: string; consumer: string; count: number };
  /** An operator paused the group in every process (`MessageAdmin.pauseGroup`), or resumed it; told by each member. */
  'group-paused': { topic: string; group: string };
  'group-resumed': { topic: string; group: string };
  /** The group has had no member for long (`idleGroups.afterMs`), and keeps messages from being trimmed. Said once by each process. */
  'group-idle': IdleGroup;
  /** It was removed for that, as `idleGroups.expire` said. `lag` is what it had not settled. */
  'group-expired': IdleGroup;
  /** The group had vanished from the store (flushed or deleted): an alarm, data may be lost. */
  'group-recreated': { topic: string; queue: number; group: string; from: string };
  /** The queue cannot be read (wrong key type, ...); others go on, it is tried again. */
  'queue-faulted': { topic: string; queue: number; group: string; error: Error };
  'queue-recovered': { topic: string; queue: number; group: string };
  /** An entry of a newer wire version waits, undelivered, for a newer consumer. */
  'message-held': { topic: string; queue: number; group: string; offset: string; version: number };
  /** The store had no body any more for a delivery; it was settled and counted. */
  'message-lost': { topic: string; queue: number; group: string; offset: string };
  /** The store said something new about itself, at the start or since a minute ago: see `problems`. */
  health: StoreHealth;
  /**
   * A queue had as many messages as `maxLength` allows, and its oldest gave way to new ones: `dropped` of them, settled
   * ones included. `deadLetters` is how many copies groups got that had not settled them.
   */
  'made-room': { topic: string; queue: number; dropped: number; deadLetters: number };
  released: { topic: string; queue: number; count: number };
  /** Somebody who can say what became of a transaction was asked, because its owner had not said it in time. */
  checked: {
    topic: string;
    queue: number;
    transactionId: string;
    /** Of the participant or the transaction. */
    name: string;
    messages: number;
    resolution: 'commit' | 'rollback' | 'unknown';
  };
  /** Nobody can say what became of a transaction: its messages wait for the operator. An alarm. */
  'half-parked': {
    topic: string;
    queue: number;
    transactionId: string;
    messages: number;
    reason: string;
  };
  /**
   * A transaction is not decided, and no process that runs can say what became of it: none has its database, or its check method.
   * Its messages wait until one has. An alarm; said by each process that uses the topic, for the first of those in a queue that
   * wait for the same database or check method.
   */
  'half-unasked': {
    topic: string;
    queue: number;
    transactionId: string;
    /** Of the participant or the transaction. */
    name: string;
    messages: number;
  };
  /** The store did not confirm the messages of a committed transaction; the back-check or the relay completes it. */
  'delivery-delayed': { transactionId: string; participant: string; error: Error };
  /** The store could not take the messages of a transaction: they wait in its database. */
  'outbox-kept': { transactionId: string; participant: string; messages: number };
  /**
   * A row of the outbox that cannot be published, or is published and not stored as far as its acks say (told once while that
   * lasts): an alarm. It stays, is tried again, and holds nobody up.
   */
  'outbox-stuck': { transactionId: string; participant: string; error: Error };
  /** Nobody knows whether the transaction was committed; its messages wait for the database to answer. */
  'in-doubt': { transactionId: string; participant: string; error: Error };
  connection: { name: string; state: 'ready' | 'lost' | 'closed'; error: Error | undefined };
}

export interface IdleGroup {
  topic: string;
  group: string;
  idleMs: number;
  /** Messages it had not settled; null when the store cannot tell. */
  lag: number | null;
  deadLetters: number;
}

export interface DeliveryFacts {
  topic: string;
  queue: number;
  group: string;
  messageId: string;
  /** As the sender gave it, so that a listener knows what the message is about without its body. */
  key: string | undefined;
  offset: string;
  attempt: number;
}

export type RivuletEventName = keyof RivuletEvents;

/**
 * What happens, as it happens: for logs, metrics and tests that wait instead of sleeping.
 *
 * Listeners are called synchronously in order. A listener that throws is reported to the logger and changes
 * nothing else. What an AsyncLocalStorage holds there says nothing: messages of one turn travel together, and their events
 * run in the context of one of their sends. The facts say which message it is.
 */
export class Events {
  private readonly emitter = new EventEmitter();
  private readonly logger: Logger;

  constructor(options: { logger: Logger }) {
    this.logger = options.logger;
    this.emitter.setMaxListeners(0);
  }

  /** Whether anybody listens: lets hot paths skip building the facts. */
  heard(name: RivuletEventName): boolean {
    return this.emitter.listenerCount(name) > 0;
  }

  emit<N extends RivuletEventName>(name: N, facts: RivuletEvents[N]): void {
    for (const listener of this.emitter.listeners(name)) {
      try {
        const answer = (listener as (facts: RivuletEvents[N]) => unknown)(facts);
        if (answer instanceof Promise) answer.catch((error: unknown) => this.report(name, error));
      } catch (error) {
        this.report(name, error);
      }
    }
  }

  private report(name: RivuletEventName, error: unknown): void {
    const why = error instanceof Error ? error.message : typeof error;
    this.logger.error(`A listener of "${name}" failed: ${why}. The message is not affected.`);
  }

  /** Returns the function that stops listening. */
  on<N extends RivuletEventName>(name: N, listener: (facts: RivuletEvents[N]) => void): () => void {
    this.emitter.on(name, listener);
    return () => this.emitter.off(name, listener);
  }

  /** Resolves with the first event that matches; never times out by itself. */
  next<N extends RivuletEventName>(
    name: N,
    matches: (facts: RivuletEvents[N]) => boolean = () => true,
  ): Promise<RivuletEvents[N]> {
    return new Promise((resolve) => {
      const off = this.on(name, (facts) => {
        if (!matches(facts)) return;
        off();
        resolve(facts);
      });
    });
  }
}
