import type { SendResult } from '../message/message.js';
import type { MessageId } from '../message/message-id.js';
import type { SendAnswer } from './pending-send.js';

/** Told about the steps of an answer, in order; after `error` or `end` nothing follows. */
export interface ReplyListener {
  value(body: unknown): void;
  error(error: Error): void;
  end(): void;
}

/** Who a request belongs to. */
export interface RequestOwner {
  confirmed(request: OpenRequest, sent: SendResult): void;
  refused(request: OpenRequest, error: Error): void;
  stopped(request: OpenRequest): void;
}

/**
 * One request, until its message has been confirmed (or refused) and its answer has ended. A hundred of them live at a time,
 * so it takes its confirm itself and is what stops it: no closures, no promise.
 */
export class OpenRequest implements SendAnswer {
  readonly topic: string;
  readonly listener: ReplyListener;
  readonly number: number;
  readonly timeoutMs: number;
  readonly dedupId: string | undefined;
  /** By the monotonic clock. */
  readonly deadline: number;
  /** Known once the message is confirmed. */
  messageId: MessageId | undefined = undefined;
  /** The next step of its answer. */
  nextSeq = 0;
  isSent = false;
  isFinished = false;
  /** Neighbours by age, and the next in its place by message id (`OpenRequests`). */
  older: OpenRequest | undefined = undefined;
  newer: OpenRequest | undefined = undefined;
  next: OpenRequest | undefined = undefined;
  private readonly owner: RequestOwner;

  constructor(options: {
    topic: string;
    listener: ReplyListener;
    number: number;
    timeoutMs: number;
    dedupId: string | undefined;
    deadline: number;
    owner: RequestOwner;
  }) {
    this.topic = options.topic;
    this.listener = options.listener;
    this.number = options.number;
    this.timeoutMs = options.timeoutMs;
    this.dedupId = options.dedupId;
    this.deadline = options.deadline;
    this.owner = options.owner;
  }

  /** Its listener hears of nothing more. Safe to repeat. */
  stop(): void {
    this.owner.stopped(this);
  }

  /** Its message is stored. */
  resolve(sent: SendResult): void {
    this.owner.confirmed(this, sent);
  }

  /** Its message is not stored, or nobody knows. Whoever asked may not have its hands on this yet. */
  reject(error: Error): void {
    void Promise.resolve().then(() => this.owner.refused(this, error));
  }
}

const PLACES = 1_024;

/**
 * Requests by age and by message id.
 *
 * A list and a table of short lists, which let go of what leaves them: a Map or Set with so much coming and going would
 * keep all of it from being collected (decision 13).
 */
export class OpenRequests {
  private readonly places: (OpenRequest | undefined)[] = Array.from(
    { length: PLACES },
    () => undefined,
  );
  private oldest: OpenRequest | undefined;
  private newest: OpenRequest | undefined;
  private sending = 0;
  private count = 0;

  /** Those that wait for their confirm or their answer. */
  get size(): number {
    return this.count;
  }

  /** Whether the message of some request is not confirmed yet. */
  get isSending(): boolean {
    return this.sending > 0;
  }

  /** Number of the oldest request whose message is not confirmed; Infinity when there is none. */
  get oldestSending(): number {
    if (this.sending > 0)
      for (let each = this.oldest; each; each = each.newer) if (!each.isSent) return each.number;
    return Infinity;
  }

  add(request: OpenRequest): void {
    this.sending += 1;
    this.count += 1;
    request.older = this.newest;
    if (this.newest) this.newest.newer = request;
    else this.oldest = request;
    this.newest = request;
  }

  /** Its message is confirmed (with an id), or will never be. */
  sent(request: OpenRequest, messageId?: MessageId): void {
    this.sending -= 1;
    request.isSent = true;
    if (request.isFinished) return this.remove(request);
    if (messageId === undefined) return;
    const place = placeOf(messageId);
    request.messageId = messageId;
    request.next = this.places[place];
    this.places[place] = request;
  }

  /** The last of them that was confirmed, when a dedup id made several one message. */
  find(messageId: MessageId): OpenRequest | undefined {
    let found = this.places[placeOf(messageId)];
    while (found && found.messageId !== messageId) found = found.next;
    return found;
  }

  /** Those whose message a dedup id made the same one, from the first to the last that was confirmed. */
  twinsOf(request: OpenRequest): readonly OpenRequest[] {
    const found = [request];
    for (let each = request.next; each; each = each.next)
      if (each.messageId === request.messageId) found.push(each);
    return found.reverse();
  }

  /** Its answer has ended, or nobody waits for it any more. @returns false when it had finished before. */
  finish(request: OpenRequest): boolean {
    if (request.isFinished) return false;
    request.isFinished = true;
    if (request.messageId !== undefined) this.forget(request, placeOf(request.messageId));
    if (request.isSent) this.remove(request);
    return true;
  }

  /** Those that have not finished, oldest first. */
  unfinished(): OpenRequest[] {
    const found: OpenRequest[] = [];
    for (let each = this.oldest; each; each = each.newer) if (!each.isFinished) found.push(each);
    return found;
  }

  private forget(request: OpenRequest, place: number): void {
    let before = this.places[place];
    if (before === request) this.places[place] = request.next;
    while (before && before.next !== request) before = before.next;
    if (before) before.next = request.next;
    request.next = undefined;
  }

  private remove(request: OpenRequest): void {
    this.count -= 1;
    const { older, newer } = request;
    if (older) older.newer = newer;
    else this.oldest = newer;
    if (newer) newer.older = older;
    else this.newest = older;
    request.older = undefined;
    request.newer = undefined;
  }
}

/** The last ten bits of an id are random: its last three digits (0-9a-f) say them. */
function placeOf(messageId: MessageId): number {
  const last = messageId.length - 1;
  let place = 0;
  for (let at = last - 2; at <= last; at++) {
    const code = messageId.charCodeAt(at);
    place = (place << 4) | (code < 0x3a ? code - 0x30 : code - 0x57);
  }
  return place & (PLACES - 1);
}
