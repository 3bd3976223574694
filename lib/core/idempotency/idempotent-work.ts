import type { Outcome } from '../consumer/outcome.js';
import type { Responder } from '../consumer/responder.js';
import type { Delivery, GuardedDelivery } from '../consumer/subscription.js';
import {
  type BeginAsker,
  type BeginReply,
  claimed,
  type CompleteAsker,
  completed,
  type DedupRef,
  type DedupStore,
} from '../store/dedup-store.js';
import type { Claim, Claims } from './claims.js';
import type { IdempotencyReporter } from './idempotency-reporter.js';
import type { IdempotentSettings } from './idempotent-options.js';
import { KeptAnswer, readAnswer } from './kept-answer.js';
import type { PersistentAsker } from './persistent-asker.js';
import { type Inbox, throughInbox } from './through-inbox.js';

/** How long a message waits while its duplicate is being handled, before it looks again. */
const WAIT_MS = { from: 100, to: 5_000 };
/** Until the store may be asked again that did not answer. */
const AWAY_MS = 1_000;
/** About a second and a half; a begin that was carried out is recognised by its owner. */
const MOST_BEGINS = 6;

const NOT_KEPT = (): boolean => false;

const DUPLICATE_REQUEST = {
  status: 'error',
  message:
    'This request was handled before, and its answer was not kept (option idempotent.storeResult of its handler)',
};

export interface WorkTools {
  dedup: DedupStore;
  leaseMs: number;
  claims: Claims;
  asker: PersistentAsker;
  inbox: Inbox;
  reporter: IdempotencyReporter;
  /** Answers of the requests in hand. */
  answers: WeakMap<Delivery, KeptAnswer>;
  responderFor(delivery: Delivery): Responder;
}

interface WorkOptions {
  ref: DedupRef;
  owner: string;
  delivery: GuardedDelivery;
  settings: IdempotentSettings;
  tools: WorkTools;
  /** Runs the handler; never rejects. */
  handle(): Outcome | Promise<Outcome>;
  /** Told the outcome, once. */
  conclude(outcome: Outcome): void;
}

/**
 * One attempt at a message that is handled once: begin → handle → complete. It hears the answers itself, and is the claim that is
 * renewed meanwhile: what is made for each message is most of what a message costs (decision 20).
 */
export class IdempotentWork implements Claim, BeginAsker, CompleteAsker {
  readonly ref: DedupRef;
  readonly owner: string;
  readonly leaseMs: number;
  readonly ttlMs: number;
  readonly delivery: GuardedDelivery;
  end = NOT_KEPT;
  /** What the record keeps, once there is something to keep. */
  result: Buffer | undefined = undefined;
  private readonly settings: IdempotentSettings;
  private readonly tools: WorkTools;
  private readonly handle: () => Outcome | Promise<Outcome>;
  private readonly conclude: (outcome: Outcome) => void;
  /** To a request, if it is to be remembered. */
  private answer: KeptAnswer | undefined;
  /** Of its handler. */
  private outcome: Outcome | undefined;

  constructor({ ref, owner, delivery, settings, tools, handle, conclude }: WorkOptions) {
    this.ref = ref;
    this.owner = owner;
    this.leaseMs = tools.leaseMs;
    this.ttlMs = settings.ttlMs;
    this.delivery = delivery;
    this.settings = settings;
    this.tools = tools;
    this.handle = handle;
    this.conclude = conclude;
  }

  begin(): void {
    this.orFail(() => this.tools.dedup.begin(this.ref, this, this));
  }

  begun(reply: BeginReply): void {
    if (reply.state === 'done') this.concludeAs(this.duplicate(reply.result));
    else if (reply.state === 'busy')
      this.conclude({ kind: 'busy', delayMs: this.waitMs(reply.leftMs) });
    else this.orFail(() => this.run());
  }

  beginFailed(error: unknown): void {
    const { asker, dedup } = this.tools;
    const asking = asker.askAgain(error, {
      doing: 'claim a dedup record',
      ask: () => claimed(dedup, this.ref, this),
      signal: this.delivery.signal,
      tries: MOST_BEGINS,
    });
    void asking.then((reply) => this.begun(reply ?? { state: 'busy', leftMs: AWAY_MS }));
  }

  completed(reply: 'completed' | 'lost'): void {
    if (reply === 'lost') this.tools.reporter.lost(this.delivery, this.ref.key);
    this.conclude(this.outcome!);
  }

  /** Again until the store answers: what was handled must not be handled again because a reply got lost. */
  completeFailed(error: unknown): void {
    const { asker, dedup } = this.tools;
    const asking = asker.askAgain(error, {
      doing: 'record that a message was handled',
      ask: () => completed(dedup, this.ref, this),
      signal: this.delivery.signal,
      tries: Infinity,
    });
    // Its time is up: whoever gave it that time has concluded already.
    void asking.then((reply) => this.completed(reply ?? 'completed'));
  }

  /** As long again as the claim has lasted since it was made or renewed: most handlers end soon, some do not. */
  private waitMs(leftMs: number): number {
    const lastedMs = this.leaseMs - leftMs;
    return Math.min(leftMs, Math.max(WAIT_MS.from, Math.min(lastedMs, WAIT_MS.to)));
  }

  /** The claim is ours. */
  private run(): void {
    const { settings, delivery, tools } = this;
    if (delivery.message.replyTo !== undefined) {
      this.answer = new KeptAnswer({ isKept: settings.storeResult });
      tools.answers.set(delivery, this.answer);
    }
    tools.claims.add(this);
    const running =
      settings.participant === undefined ? this.handle() : this.inTransaction(settings.participant);
    if (running instanceof Promise)
      void running.then((outcome) => this.orFail(() => this.ended(outcome)));
    else this.ended(running);
  }

  private ended(outcome: Outcome): void {
    this.end();
    this.delivery.handled();
    this.outcome = outcome;
    if (outcome.kind === 'duplicate')
      this.duplicate(undefined).then(
        () => this.complete(),
        (error: unknown) => this.conclude({ kind: 'failed', error }),
      );
    else if (outcome.kind === 'succeeded' && !this.answer?.isError) this.complete();
    else void this.abandon().then(() => this.conclude(outcome));
  }

  private complete(): void {
    if (this.answer?.isTooLarge) this.tools.reporter.tooLarge(this.delivery);
    this.result = this.answer?.bytes;
    this.tools.dedup.complete(this.ref, this, this);
  }

  private async abandon(): Promise<void> {
    try {
      await this.tools.dedup.abandon(this.ref, this.owner);
    } catch (error) {
      // It lapses by itself; until then the message is busy.
      this.tools.asker.trouble('give up a claim on a dedup record', error);
    }
  }

  private inTransaction(participant: string): Promise<Outcome> {
    const { group, topic, key } = this.ref;
    // An inbox knows groups only: the topic has its place in the key.
    const entry = { participant, group, key: `${topic}:${key}` };
    return throughInbox(this.tools.inbox, entry, {
      dedupKey: key,
      handle: () => this.handle(),
      isSuccess: ({ kind }) => kind === 'succeeded' && !this.answer?.isError,
    });
  }

  private async duplicate(result: Buffer | undefined): Promise<Outcome> {
    if (this.delivery.message.replyTo !== undefined) {
      const responder = this.tools.responderFor(this.delivery);
      if (result) await responder.repeat(readAnswer(result));
      else await responder.error(DUPLICATE_REQUEST);
    }
    return { kind: 'duplicate', dedupKey: this.ref.key };
  }

  /** Others are told of their answers after this one: what goes wrong here is the failure of this attempt. */
  private orFail(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.conclude({ kind: 'failed', error });
    }
  }

  private concludeAs(outcome: Promise<Outcome>): void {
    outcome.then(this.conclude, (error: unknown) => this.conclude({ kind: 'failed', error }));
  }
}
