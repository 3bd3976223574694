import type { DeadLetterNote } from '../core/consumer/history.js';
import type { Codecs } from '../core/message/codecs.js';
import type { MessageView } from '../core/message/message.js';
import { decodeMessage } from '../core/message/wire-format.js';
import type { DeadLetterEntry } from '../core/store/dead-letter-store.js';
import { queuesOf, type EntryContent, type QueueRef } from '../core/store/refs.js';
import type { Stores } from '../core/store/stores.js';

export type SentMessage = Omit<MessageView, 'offset'> & {
  readonly body: unknown;
  /** Null until the message is visible. */
  readonly offset: string | null;
  /** When it becomes visible, Unix ms; null once it is. */
  readonly dueAt: number | null;
};

export type DeadLetter = DeadLetterNote & {
  readonly id: string;
  readonly queue: number;
  /** Undefined for entries that are no message of ours. */
  readonly message: (MessageView & { readonly body: unknown }) | undefined;
  readonly content: EntryContent;
};

const ALL = 100_000;

/** Looks into the stores for a test: what was sent, and what was given up. */
export class StoredMessages {
  private readonly stores: Stores;
  private readonly codecs: Codecs;

  constructor(options: { stores: Stores; codecs: Codecs }) {
    this.stores = options.stores;
    this.codecs = options.codecs;
  }

  async sent(topic: string, scheduledIds: readonly string[]): Promise<SentMessage[]> {
    const found: SentMessage[] = [];
    for (const ref of await this.queues(topic)) {
      for (const { offset, content } of await this.stores.log.range({
        ...ref,
        from: '-',
        to: '+',
        count: ALL,
      })) {
        // A redriven message was not sent again.
        if (content.kind !== 'message' || content.only !== null) continue;
        found.push({ ...this.view({ ...ref, offset }, content.frame), dueAt: null });
      }
      for (const messageId of scheduledIds) {
        const scheduled = await this.stores.schedule.find(ref, messageId);
        if (!scheduled) continue;
        const view = this.view({ ...ref, offset: '' }, scheduled.frame);
        found.push({ ...view, offset: null, dueAt: scheduled.dueAt });
      }
    }
    return found.sort((a, b) => (a.messageId < b.messageId ? -1 : 1));
  }

  async deadLetters(topic: string, group: string): Promise<DeadLetter[]> {
    const queues = await this.queues(topic);
    const pages = queues.map((ref) =>
      this.stores.deadLetters.list({ ...ref, group }, { count: ALL }),
    );
    return (await Promise.all(pages)).flat().map((letter) => this.letter(letter));
  }

  private letter(entry: DeadLetterEntry): DeadLetter {
    const { id, queue, content } = entry;
    const message =
      content.kind === 'message' ? this.viewOrNothing(entry, content.frame) : undefined;
    return { ...(JSON.parse(entry.note) as DeadLetterNote), id, queue, message, content };
  }

  /** What no consumer could read, this cannot either. */
  private viewOrNothing(entry: DeadLetterEntry, frame: Buffer): DeadLetter['message'] {
    try {
      return this.view(entry, frame);
    } catch {
      return undefined;
    }
  }

  private view(
    place: QueueRef & { offset: string },
    frame: Buffer,
  ): MessageView & { body: unknown } {
    const view = decodeMessage(place, frame);
    return { ...view, body: this.codecs.bodyOf(view) };
  }

  private async queues(topic: string): Promise<QueueRef[]> {
    const info = await this.stores.topics.find(topic);
    return info ? queuesOf(info) : [];
  }
}
