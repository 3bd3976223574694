import type { Acks, AcksLevel } from './acks.js';
import type { GroupOutcome } from './receipt-packet.js';
import type { MessageId } from './message-id.js';

/** Values a filter can compare. */
export type PropertyValue = string | number | boolean;
export type Properties = Readonly<Record<string, PropertyValue>>;
/** As a sender gives them: those that are undefined are left out. */
export type GivenProperties = Record<string, PropertyValue | undefined>;

/** What a sender may say about a message besides its body. Unknown names are refused. */
export interface SendOptions {
  /** Second classifier; subscriptions filter by it. */
  tag?: string | undefined;
  /** Business identity, for look-up. It never deduplicates unless a subscription is told so. */
  key?: string | undefined;
  /** Messages of one message group stay in order and decide the queue (murmur2, as Kafka). */
  messageGroup?: string | undefined;
  /** Exactly this queue, from 0. Not together with `messageGroup` or `queueSelector`. */
  queue?: number | undefined;
  /** Chooses the queue. Not together with `messageGroup` or `queue`. */
  queueSelector?: QueueSelector | undefined;
  /** Invisible for this long, in milliseconds. Not together with `deliverAt`. */
  delayMs?: number | undefined;
  /** Invisible until then. A time that has passed is refused rather than taken for "now". */
  deliverAt?: Date | undefined;
  /** Not handed to a handler later than this after it became visible; expired messages become dead letters. */
  ttlMs?: number | undefined;
  /**
   * A second send with the same id within the dedup window (default 10 min) stores nothing and answers
   * `duplicate: true` with the first message's id. Makes a sender's own retry safe. Remembered per queue: two sends
   * with one id must also agree in `messageGroup` or `queue`, if they say any.
   */
  dedupId?: string | undefined;
  /**
   * Typed properties; at most 100 and 16 KiB together with the other header fields. One that is undefined is left out, as an
   * option that is.
   */
  properties?: GivenProperties | undefined;
  /** W3C trace context to pass on; by default that of the current span where one is known. */
  traceparent?: string | undefined;
  /** What tracing systems add to `traceparent`; only together with it. At most 512 characters. */
  tracestate?: string | undefined;
  /** W3C baggage; only together with `traceparent`. At most 8 192 characters; left behind where the header has no room for it. */
  baggage?: string | undefined;
  /**
   * How far the message must be stored before the send is confirmed. Default: the producer's `acks`. Messages for one queue
   * that travel together wait for the strongest of them; what is not reached in time is `SendOutcomeUnknownError`: stored,
   * but not that far. A server that cannot tell refuses it before anything is stored.
   *
   * Messages of a transaction are stored so far before COMMIT, within `halfTimeoutMs`, or wait in the database.
   */
  acks?: Acks | undefined;
  /** How long `send` may try, in milliseconds. Default: the producer's `sendTimeoutMs`. */
  timeoutMs?: number | undefined;
  /**
   * Refused with `UnroutableMessageError` unless a consumer group has subscribed to the topic, or each of these has. Asked
   * before the message takes its place: later sends may overtake it. What the filters of the groups want is not looked at.
   *
   * A subscription to a pattern counts from when it has noticed the topic, a second or two after that was made; what is
   * refused makes none, so make it with `MessageAdmin.createTopic`.
   */
  mandatory?: boolean | readonly string[] | undefined;
  /**
   * Where it goes instead when no consumer group has subscribed to its topic; the result says where it went. Asked before
   * the message takes its place: later sends may overtake it. Patterns count as with `mandatory`.
   */
  alternateTopic?: string | undefined;
  /**
   * Wait for what becomes of the message in these consumer groups: the result says it in `outcomes`. Rejects with
   * `ReceiptTimeoutError`, which says what is known, when one of them has not ended with it in `timeoutMs`: it is stored
   * then, and they go on. Sends that do not ask pay nothing. A duplicate (`dedupId`) of a message that this
   * process sent with a receipt hears what comes from then on, and what senders that still wait have heard.
   */
  receipt?: { groups: readonly string[]; timeoutMs: number } | undefined;
  /** `false`: sent at once, also inside a transaction, whatever becomes of that. By default it is a part of it. */
  transaction?: false | undefined;
}

/** Sees the queue numbers of the topic and the message; answers one of the numbers. */
export type QueueSelector = (queues: readonly number[], message: OutgoingMessage) => number;

/** What a queue selector may look at. */
export interface OutgoingMessage {
  topic: string;
  tag: string | undefined;
  key: string | undefined;
  properties: Properties;
  body: unknown;
}

/** The publisher confirm. */
export interface SendResult {
  /** Of the stored message: with `duplicate` the id of the first one. */
  messageId: MessageId;
  topic: string;
  queue: number;
  /** `stored`: visible to consumers. `scheduled`: will be. `half`: waits for its transaction. */
  state: 'stored' | 'scheduled' | 'half';
  /** Position in the queue; null until the message is visible. */
  offset: string | null;
  /** True when an earlier send with the same `dedupId` had stored it already. */
  duplicate: boolean;
  /**
   * How far the message is known to be stored: what was asked for, or more. `memory` for a half, whose transaction
   * waits for the rest.
   */
  acks: AcksLevel;
  /** What became of it in the groups that `receipt` names; only there. */
  outcomes?: Readonly<Record<string, GroupOutcome>>;
}

/** A message as a consumer or an operator sees it. */
export interface MessageView {
  readonly messageId: MessageId;
  readonly topic: string;
  readonly queue: number;
  /** Position in the queue (the id of the stream entry). Opaque; compare with `compareOffsets` only. */
  readonly offset: string;
  readonly tag: string | undefined;
  readonly key: string | undefined;
  readonly messageGroup: string | undefined;
  readonly properties: Properties;
  /** When `send` was called, by the sender's clock, Unix ms. */
  readonly bornAt: number;
  readonly dedupId: string | undefined;
  /** No handler gets it later than this after the store made it visible, in milliseconds. */
  readonly ttlMs: number | undefined;
  readonly traceparent: string | undefined;
  readonly tracestate: string | undefined;
  readonly baggage: string | undefined;
  /** Where an answer is wanted, for requests. */
  readonly replyTo: string | undefined;
  /** Where its sender waits to hear what became of it. */
  readonly receiptTo: string | undefined;
  /** Name of the codec that made the bytes; `json` when nothing else was said. */
  readonly codec: string;
  /** The body as it travels, unchanged. */
  readonly bytes: Buffer;
}
