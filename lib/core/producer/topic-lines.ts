import { FlowBlockedError, isOutOfMemory, SendFailedError } from '../message/errors.js';
import type { SendResult } from '../message/message.js';
import type { Clock } from '../runtime/clock.js';
import type { Events } from '../runtime/events.js';
import { publishFailed } from './confirm.js';
import type { EncodedMessage } from './encode-message.js';
import { askPatiently } from './ask-patiently.js';
import type { TopicDirectory } from './topic-directory.js';
import { tooManyWait, type WaitingSends } from './waiting-sends.js';

export interface TopicLinesOptions {
  topics: TopicDirectory;
  clock: Clock;
  events: Events;
  /** Aborted when nothing more is accepted: a topic that is not known by then is asked for once. */
  closing: AbortSignal;
  /** What stands in a line counts there. */
  waiting: WaitingSends;
  dispatch(message: EncodedMessage): Promise<SendResult>;
}

/**
 * Sends of a topic that could not go at once, because the topic, a schema or another queue had to be waited for. Later
 * sends of the topic line up behind them, so that the order of the calls is kept.
 */
export class TopicLines {
  private readonly options: TopicLinesOptions;
  private readonly lines = new Map<string, Promise<unknown>>();

  constructor(options: TopicLinesOptions) {
    this.options = options;
  }

  get size(): number {
    return this.lines.size;
  }

  has(topic: string): boolean {
    return this.lines.has(topic);
  }

  /** Resolves when everything that waits now is on its way, or has failed. */
  async allGone(): Promise<void> {
    await Promise.all(this.lines.values());
  }

  /** Goes after everything of this topic that waits already, and makes later sends wait for it. */
  add(topic: string, encoding: EncodedMessage | Promise<EncodedMessage>): Promise<SendResult> {
    const before = this.lines.get(topic);
    const place = Promise.resolve(encoding).then((message) => this.goOnceKnown(message, before));
    this.hold(
      topic,
      place.catch(() => undefined),
    );
    return place.then(({ answer }) => answer);
  }

  /** Later sends of the topic wait for `work`, and for what waits already. */
  hold(topic: string, work: Promise<unknown>): void {
    const before = this.lines.get(topic);
    const line = before ? before.then(() => work) : work;
    this.lines.set(topic, line);
    void line.then(() => {
      if (this.lines.get(topic) === line) this.lines.delete(topic);
    });
  }

  /**
   * Resolves when the message is on its way: once everything `before` it is, and its topic is known. Its time runs
   * meanwhile. A store that is down for a moment fails nothing; for longer, it fails each message in its time.
   */
  private async goOnceKnown(
    message: EncodedMessage,
    before: Promise<unknown> | undefined,
  ): Promise<{ answer: Promise<SendResult> }> {
    const { clock, topics, events, closing, waiting, dispatch } = this.options;
    const bytes = message.frame.length;
    if (!waiting.enter(bytes)) {
      const refusal = tooManyWait(message, waiting.held);
      publishFailed(events, message, refusal);
      throw refusal;
    }
    let isTimeUp = false;
    let trouble: Error | undefined;
    let cancel = (): void => {};
    const timeUp = new Promise<void>((resolve) => {
      cancel = clock.after(message.deadline - clock.monotonic(), () => {
        isTimeUp = true;
        resolve();
      });
    });
    const known = async (): Promise<void> => {
      await before;
      await askPatiently({
        ask: () => topics.get(message.topic),
        goOn: (error) => {
          trouble = error;
          // Of a full memory the sender hears at once, as it does from its queue.
          return !isTimeUp && !closing.aborted && !isOutOfMemory(error);
        },
        clock,
        signal: closing,
      });
      trouble = undefined;
    };
    try {
      await Promise.race([known(), timeUp]);
    } catch (error) {
      if (error !== trouble) throw error;
    } finally {
      cancel();
      waiting.leave(bytes);
    }
    if (!isTimeUp && !trouble) return { answer: dispatch(message) };
    const failure = isOutOfMemory(trouble)
      ? new FlowBlockedError(flowBlocked(message), message, { cause: trouble })
      : new SendFailedError(
          `Message ${message.messageId} to topic "${message.topic}" was not stored: the topic could not be looked up within ${message.timeoutMs} ms. It is safe to send it again.`,
          message,
          { cause: trouble },
        );
    publishFailed(events, message, failure);
    throw failure;
  }
}

function flowBlocked({ messageId, topic }: EncodedMessage): string {
  return `Message ${messageId} to topic "${topic}" was not stored: the store is out of memory, and the topic is new or was not used by this process yet. Consuming goes on; send again later.`;
}
