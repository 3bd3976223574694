import type { Outcome } from '../consumer/outcome.js';
import type { Responder } from '../consumer/responder.js';
import type { Delivery, GuardedDelivery, Middleware } from '../consumer/subscription.js';
import type { Clock } from '../runtime/clock.js';
import type { Events } from '../runtime/events.js';
import type { Logger } from '../runtime/logger.js';
import type { BeginReply, DedupStore } from '../store/dedup-store.js';
import { Claim, Claims } from './claims.js';
import { dedupKey } from './dedup-key.js';
import type { IdempotentSettings } from './idempotent-options.js';
import { KeptAnswer, readAnswer } from './kept-answer.js';
import { OwnerNames } from './owner-names.js';
import { PersistentAsker } from './persistent-asker.js';
import { type Inbox, throughInbox } from './through-inbox.js';

export interface IdempotencyOptions {
  dedup: DedupStore;
  clock: Clock;
  events: Events;
  logger: Logger;
  /** How long a claim lasts unless it is renewed. */
  leaseMs: number;
  inbox: Inbox;
  responderFor(delivery: Delivery): Responder;
  onTrouble(doing: string, error: unknown): void;
}

/** How long a message waits while its duplicate is being handled, before it looks again. */
const WAIT_MS = { from: 100, to: 5_000 };
/** Until the store may be asked again that did not answer. */
const AWAY_MS = 1_000;
/** About a second and a half; a begin that was carried out is recognised by its owner. */
const MOST_BEGINS = 6;

const DUPLICATE_REQUEST = {
  status: 'error',
  message:
    'This request was handled before, and its answer was not kept (option idempotent.storeResult of its handler)',
};

/**
 * Idempotent consumption: begin → handle → complete, and only then the ack.
 *
 * A handler whose completion was recorded is not run again for the same dedup key within its lifetime. One that failed
 * frees the record, so that its retry starts at once; one that crashed leaves a claim that lapses.
 */
export class Idempotency {
  private readonly options: IdempotencyOptions;
  private readonly claims: Claims;
  /** Answers of the requests in hand. */
  private readonly answers = new WeakMap<Delivery, KeptAnswer>();
  private readonly owners = new OwnerNames();
  private readonly asker: PersistentAsker;

  constructor(options: IdempotencyOptions) {
    this.options = options;
    const { dedup, clock, leaseMs } = options;
    this.asker = new PersistentAsker(options);
    this.claims = new Claims({
      dedup,
      clock,
      leaseMs,
      onTrouble: (error) => this.asker.trouble('renew a claim on a dedup record', error),
    });
  }

  /** Stands around the handlers of a subscription. */
  around(settings: IdempotentSettings): Middleware {
    return (delivery, handle) => {
      const claim = this.claimFor(delivery, settings);
      const { ref, owner } = claim;
      const begun = (reply: BeginReply): Outcome | Promise<Outcome> => {
        if (reply.state === 'new') return this.handle(claim, settings, handle);
        if (reply.state === 'done') return this.duplicate(delivery, ref.key, reply.result);
        return { kind: 'busy', delayMs: this.waitMs(reply.leftMs) };
      };
      // No async functions on the way of a message: each promise is a good part of what a message costs.
      return this.options.dedup
        .begin(ref, { owner, leaseMs: this.options.leaseMs })
        .then(begun, (error: unknown) => this.beginAgain(claim, error).then(begun));
    };
  }

  /** The answer to this delivery, if it is to be remembered. */
  answerTo(delivery: Delivery): KeptAnswer | undefined {
    return this.answers.get(delivery);
  }

  stop(): void {
    this.claims.stop();
  }

  /** As long again as the claim has lasted since it was made or renewed: most handlers end soon, some do not. */
  private waitMs(leftMs: number): number {
    const lastedMs = this.options.leaseMs - leftMs;
    return Math.min(leftMs, Math.max(WAIT_MS.from, Math.min(lastedMs, WAIT_MS.to)));
  }

  private claimFor(delivery: GuardedDelivery, settings: IdempotentSettings): Claim {
    const { group, message } = delivery;
    const key = dedupKey(delivery, settings.key);
    return new Claim({
      // Of the message, not of the subscription: that may be a pattern, and a dedup id means the same in one topic only.
      ref: this.options.dedup.recordOf({ group, topic: message.topic, key }),
      owner: this.owners.next(key),
      delivery,
      since: this.options.clock.monotonic(),
    });
  }

  private async beginAgain({ ref, owner, delivery }: Claim, error: unknown): Promise<BeginReply> {
    const { dedup, leaseMs } = this.options;
    const ask = (): Promise<BeginReply> => dedup.begin(ref, { owner, leaseMs });
    const doing = 'claim a dedup record';
    const begun = await this.asker.askAgain(error, {
      doing,
      ask,
      signal: delivery.signal,
      tries: MOST_BEGINS,
    });
    return begun ?? { state: 'busy', leftMs: AWAY_MS };
  }

  private handle(
    claim: Claim,
    settings: IdempotentSettings,
    handle: () => Outcome | Promise<Outcome>,
  ): Outcome | Promise<Outcome> {
    const { delivery } = claim;
    const answer =
      delivery.message.replyTo === undefined
        ? undefined
        : new KeptAnswer({ isKept: settings.storeResult });
    if (answer) this.answers.set(delivery, answer);
    this.claims.add(claim);
    const over = (): void => {
      claim.end();
      delivery.handled();
    };
    const ended = (outcome: Outcome): Promise<Outcome> => {
      over();
      return this.record(claim, settings, { outcome, answer });
    };
    const running =
      settings.participant === undefined
        ? handle()
        : this.inTransaction(claim, settings.participant, {
            handle,
            isError: () => answer?.isError === true,
          });
    if (!(running instanceof Promise)) return ended(running);
    return running.then(ended, (error: unknown) => {
      over();
      throw error;
    });
  }

  /** What became of the work. */
  private record(
    claim: Claim,
    { ttlMs }: IdempotentSettings,
    { outcome, answer }: { outcome: Outcome; answer: KeptAnswer | undefined },
  ): Promise<Outcome> {
    const recorded = (): Outcome => outcome;
    if (outcome.kind === 'duplicate')
      return this.duplicate(claim.delivery, claim.ref.key, undefined)
        .then(() => this.complete(claim, ttlMs, answer))
        .then(recorded);
    const isDone = outcome.kind === 'succeeded' && !answer?.isError;
    return (isDone ? this.complete(claim, ttlMs, answer) : this.abandon(claim)).then(recorded);
  }

  private inTransaction(
    { ref }: Claim,
    participant: string,
    { handle, isError }: { handle: () => Outcome | Promise<Outcome>; isError: () => boolean },
  ): Promise<Outcome> {
    // An inbox knows groups only: the topic has its place in the key.
    const entry = { participant, group: ref.group, key: `${ref.topic}:${ref.key}` };
    return throughInbox(this.options.inbox, entry, {
      dedupKey: ref.key,
      handle,
      isSuccess: ({ kind }) => kind === 'succeeded' && !isError(),
    });
  }

  /** Again until the store answers: what was handled must not be handled again because a reply got lost. */
  private complete(
    { ref, owner, delivery }: Claim,
    ttlMs: number,
    answer: KeptAnswer | undefined,
  ): Promise<void> {
    const { dedup } = this.options;
    const result = answer?.bytes;
    if (answer?.isTooLarge) this.tellTooLarge(delivery);
    const ask = (): Promise<'completed' | 'lost'> => dedup.complete(ref, { owner, ttlMs, result });
    const recorded = (reply: 'completed' | 'lost' | undefined): void => {
      if (reply === 'lost') this.tellLost(delivery, ref.key);
    };
    return ask().then(recorded, (error: unknown) => {
      const doing = 'record that a message was handled';
      return this.asker
        .askAgain(error, { doing, ask, signal: delivery.signal, tries: Infinity })
        .then(recorded);
    });
  }

  private async abandon({ ref, owner }: Claim): Promise<void> {
    try {
      await this.options.dedup.abandon(ref, owner);
    } catch (error) {
      // It lapses by itself; until then the message is busy.
      this.asker.trouble('give up a claim on a dedup record', error);
    }
  }

  private async duplicate(
    delivery: Delivery,
    key: string,
    result: Buffer | undefined,
  ): Promise<Outcome> {
    if (delivery.message.replyTo !== undefined) {
      const responder = this.options.responderFor(delivery);
      if (result) await responder.repeat(readAnswer(result));
      else await responder.error(DUPLICATE_REQUEST);
    }
    return { kind: 'duplicate', dedupKey: key };
  }

  private tellLost(delivery: GuardedDelivery, key: string): void {
    const { events, logger } = this.options;
    const { message, group, attempt } = delivery;
    const { topic, queue, offset, messageId } = message;
    const facts = { topic, queue, group, messageId, key: message.key, offset, attempt };
    events.emit('claim-lost', { ...facts, dedupKey: key });
    logger.warn(
      `${topic}/${group}: message ${messageId} attempt ${attempt} outlived its claim, and another consumer handled the same work meanwhile. Its effects may have happened twice.`,
    );
  }

  private tellTooLarge({ message, group, attempt }: Delivery): void {
    this.options.logger.warn(
      `${message.topic}/${group}: the answer to message ${message.messageId} attempt ${attempt} is larger than 64 KiB and was not kept for duplicates. Answer with a reference to it.`,
    );
  }
}
