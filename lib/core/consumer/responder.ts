import { ANSWER, encodeBody } from '../message/codec.js';
import type { Codecs } from '../message/codecs.js';
import { jsonCodec } from '../message/json-codec.js';
import type { MessageView } from '../message/message.js';
import {
  decodeReply,
  encodeReply,
  jsonReply,
  type ReplyKind,
  type ReplyPacket,
} from '../message/reply-packet.js';
import { byteLength } from '../message/wire-format.js';
import { type Clock, sleep } from '../runtime/clock.js';
import type { ReplyState, ReplyStore } from '../store/reply-store.js';
import { describeError } from './outcome.js';
import type { UnsentAnswers } from './unsent-answers.js';

export interface ResponderOptions {
  message: MessageView;
  replies: ReplyStore;
  codecs: Codecs;
  clock: Clock;
  /** Largest step; a larger one is answered with an error. */
  maxBytes: number;
  /** Shared by all answers of the process. */
  unsent: UnsentAnswers;
  /** For an inbox that has to be made again: what may wait there until its owner looks after it. */
  maxInboxBytes: number;
  /** Told of each step before it is sent. */
  onStep?: ((kind: ReplyKind, packet: Buffer) => void) | undefined;
  onError(error: unknown): void;
}

const TRIES = 5;
/** An inbox that was made again for its owner lives so long at most, if nobody reads it. */
const REVIVED_FOR_MS = 60_000;

/** The way back to whoever sent a request. Steps arrive in the order of the calls; after an end nothing is sent. */
export class Responder {
  private readonly options: ResponderOptions;
  private seq = 0;
  private ended = false;
  /** The step before, when it may still be on its way. */
  private last: Promise<void> | undefined;
  /** Values that are not sent yet. */
  private waiting = 0;
  private readonly madeAt: number;

  constructor(options: ResponderOptions) {
    this.options = options;
    this.madeAt = options.clock.monotonic();
  }

  value(body: unknown): Promise<void> {
    return this.send('value', body);
  }

  lastValue(body: unknown): Promise<void> {
    return this.send('last-value', body);
  }

  /** `payload` is what the requester sees; make sure that it tells no secrets. */
  error(payload: unknown): Promise<void> {
    return this.send('error', payload);
  }

  end(): Promise<void> {
    return this.send('end', null);
  }

  /** Resolves when what was answered until now is sent, or given up. */
  sent(): Promise<void> {
    return this.last ?? Promise.resolve();
  }

  /** Whether as much waits to be sent as may, some of it of this answer: who can wait does (`sent`), who cannot ends. */
  get isBehind(): boolean {
    return this.waiting > 0 && this.options.unsent.isFull;
  }

  /** Answer with the steps that answered another request. */
  async repeat(steps: readonly ReplyPacket[]): Promise<void> {
    const requestId = this.options.message.messageId;
    for (const step of steps) await this.post(encodeReply({ ...step, requestId }));
  }

  private send(kind: ReplyKind, body: unknown): Promise<void> {
    if (this.ended) return this.sent();
    this.ended = kind !== 'value';
    const seq = this.seq++;
    // A requester that asked for JSON gets undefined as null: "nothing" is an answer, too.
    const packet = this.encode(kind, seq, body === undefined ? null : body);
    const { onStep } = this.options;
    // The kind as it was sent: what cannot be encoded is answered with an error.
    if (onStep) onStep(decodeReply(packet).kind, packet);
    const posted = this.last ? this.last.then(() => this.post(packet)) : this.post(packet);
    this.last = kind === 'value' ? this.counted(posted, packet.length) : posted;
    return this.last;
  }

  private counted(posted: Promise<void>, bytes: number): Promise<void> {
    const { unsent } = this.options;
    this.waiting += 1;
    unsent.take(bytes);
    return posted.then(() => {
      this.waiting -= 1;
      unsent.give(bytes);
    });
  }

  /** A step that cannot be sent is given up after some tries: the requester's deadline covers it. Never rejects. */
  private post(packet: Buffer): Promise<void> {
    const { message, replies } = this.options;
    if (message.replyTo === undefined) return Promise.resolve();
    return replies.reply(message.replyTo, packet).then(
      (state) => {
        if (state === 'full') return this.postAgain(packet, new InboxFullError());
        if (state === 'gone' && this.isAwaited) return this.postAgain(packet, undefined);
        return undefined;
      },
      (error: unknown) => this.postAgain(packet, error),
    );
  }

  /** Whether whoever asked may still wait: not after the time it gave, of which some had passed before. */
  private get isAwaited(): boolean {
    const { message, clock } = this.options;
    return clock.monotonic() < this.madeAt + (message.ttlMs ?? 0);
  }

  /** @param first undefined: the inbox is gone. */
  private async postAgain(packet: Buffer, first: unknown): Promise<void> {
    const { clock, onError } = this.options;
    let error = first;
    for (let attempt = 1; attempt < TRIES; attempt++) {
      if (error !== undefined) {
        onError(error);
        await sleep(clock, 50 * attempt);
      }
      try {
        if ((await this.replyAnyway(packet)) !== 'full') return;
        error = new InboxFullError();
      } catch (again) {
        error = again;
      }
    }
    onError(error);
  }

  /** The store may have lost the inbox, and its owner not know yet. */
  private async replyAnyway(packet: Buffer): Promise<ReplyState> {
    const { message, replies, maxInboxBytes } = this.options;
    const address = message.replyTo!;
    const state = await replies.reply(address, packet);
    if (state !== 'gone' || !this.isAwaited) return state;
    await replies.revive(address, { ttlMs: REVIVED_FOR_MS, maxBytes: maxInboxBytes });
    return replies.reply(address, packet);
  }

  private encode(kind: ReplyKind, seq: number, body: unknown): Buffer {
    const { message, codecs, maxBytes } = this.options;
    try {
      const codec = codecs.forBody(body);
      const requestId = message.messageId;
      const inJson =
        codec === jsonCodec ? jsonReply({ requestId, seq, kind }, body, maxBytes) : undefined;
      if (inJson) return inJson;
      const bytes = encodeBody(codec, body, ANSWER);
      const size = byteLength(bytes);
      if (size > maxBytes)
        throw new Error(
          `the answer takes ${size} bytes, producer.maxMessageBytes of who answers allows ${maxBytes}; store it elsewhere and answer where it is`,
        );
      return encodeReply({ requestId, seq, kind, codec: codec.name, bytes });
    } catch (error) {
      this.ended = true;
      const bytes = JSON.stringify({ status: 'error', message: describeError(error) });
      return encodeReply({
        requestId: message.messageId,
        seq,
        kind: 'error',
        codec: 'json',
        bytes,
      });
    }
  }
}

class InboxFullError extends Error {
  constructor() {
    super(
      'as many bytes wait for whoever asked as its requests.maxInboxBytes allows; it does not read, or not fast enough',
    );
  }
}
