import { ProducerBufferFullError } from '../message/errors.js';
import type { MessageId } from '../message/message-id.js';

/** What a waiting send takes beside its bytes: its promise, its timer, and what stands between. */
const OVERHEAD_BYTES = 1_024;

/**
 * Sends that have no place in the buffer yet: they wait for room, or for what must be known before they can go. Bounded by
 * their bytes, since a caller who does not await its sends feels no back-pressure.
 */
export class WaitingSends {
  private readonly maxBytes: number;
  private sends = 0;
  private bytes = 0;

  constructor(options: { maxBytes: number }) {
    this.maxBytes = options.maxBytes;
  }

  get held(): { sends: number; bytes: number } {
    return { sends: this.sends, bytes: this.bytes };
  }

  /** @returns false when too much waits already. One may always wait, however large it is. */
  enter(bytes: number): boolean {
    const all = this.bytes + bytes + OVERHEAD_BYTES;
    if (this.sends > 0 && all > this.maxBytes) return false;
    this.sends += 1;
    this.bytes = all;
    return true;
  }

  leave(bytes: number): void {
    this.sends -= 1;
    this.bytes -= bytes + OVERHEAD_BYTES;
  }
}

export function tooManyWait(
  message: { topic: string; messageId: MessageId },
  { sends, bytes }: WaitingSends['held'],
): ProducerBufferFullError {
  return new ProducerBufferFullError(
    `Message ${message.messageId} to topic "${message.topic}" was not stored: ${sends} sends (${bytes} bytes) wait for room or for their topic, which is all that may (producer.maxWaitingBytes). Await sends before you send more.`,
    message,
  );
}
