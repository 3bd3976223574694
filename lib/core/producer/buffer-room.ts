import { ProducerBufferFullError, SendFailedError } from '../message/errors.js';
import type { Clock } from '../runtime/clock.js';
import type { Confirm } from './confirm.js';
import type { PendingSend } from './pending-send.js';
import type { ProducerSettings } from './producer-settings.js';
import type { SendBuffer } from './send-buffer.js';
import { tooManyWait, type WaitingSends } from './waiting-sends.js';

export interface BufferRoomOptions {
  buffer: SendBuffer;
  waiting: WaitingSends;
  clock: Clock;
  whenFull: ProducerSettings['whenBufferFull'];
  /** There is room, and it was taken. */
  enqueue(send: PendingSend): void;
}

/** What becomes of a send for which the buffer has no room: it waits until its time is up, or is refused at once. */
export class BufferRoom {
  private readonly options: BufferRoomOptions;

  constructor(options: BufferRoomOptions) {
    this.options = options;
  }

  waitFor(send: PendingSend, answer: Confirm): void {
    const { buffer, waiting, clock, whenFull, enqueue } = this.options;
    const { messages, bytes } = buffer.held;
    const what = `Message ${send.messageId} to topic "${send.topic}" was not stored: ${messages} messages (${bytes} bytes) wait for the store`;
    if (whenFull === 'fail')
      return answer.refuse(
        new ProducerBufferFullError(
          `${what}, which is all that the producer may hold. Slow down, or set producer.whenBufferFull to "${'wait' satisfies ProducerSettings['whenBufferFull']}".`,
          send,
        ),
      );
    if (!waiting.enter(send.bytes)) return answer.refuse(tooManyWait(send, waiting.held));
    const cancel = clock.after(send.deadline - clock.monotonic(), () => {
      if (!giveUp()) return;
      waiting.leave(send.bytes);
      answer.refuse(
        new SendFailedError(
          `${what} and no room came within ${send.timeoutMs} ms. It is safe to send it again.`,
          send,
        ),
      );
    });
    const giveUp = buffer.wait(send.bytes, () => {
      cancel();
      waiting.leave(send.bytes);
      enqueue(send);
    });
  }
}
