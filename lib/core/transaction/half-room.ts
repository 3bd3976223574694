import { roomRequest } from '../producer/room-request.js';
import type { TopicDirectory } from '../producer/topic-directory.js';
import { type Clock, sleep } from '../runtime/clock.js';
import type { MessageLog } from '../store/message-log.js';
import type { WhenFull } from '../store/topic-registry.js';
import type { QueueRun } from './kept-message.js';

export interface HalfRoomOptions {
  log: Pick<MessageLog, 'makeRoom'>;
  topics: TopicDirectory;
  clock: Clock;
}

interface Full {
  state: 'full';
  room: number;
  whenFull: WhenFull;
}

const PAUSE_MS = { from: 5, to: 100 };

/**
 * Room for the messages of a transaction in a queue that is full (`maxLength`), as its topic says: others give way, or the
 * transaction waits for consumers. All of them or none: a part is of no use.
 */
export class HalfRoom {
  private readonly options: HalfRoomOptions;

  constructor(options: HalfRoomOptions) {
    this.options = options;
  }

  /**
   * `full` was answered: asks again once there is room. With a patience of 0, once.
   *
   * @returns the last answer. Rejects as the store does.
   */
  async answer<Reply extends { state: string }>(
    full: Reply & Full,
    { run, ask, patienceMs }: { run: QueueRun; ask(): Promise<Reply>; patienceMs: number },
  ): Promise<Reply> {
    const { clock } = this.options;
    const until = clock.monotonic() + patienceMs;
    if (await this.isTooLong(run)) return full;
    for (let pauseMs = PAUSE_MS.from; ; pauseMs = Math.min(pauseMs * 2, PAUSE_MS.to)) {
      const dropped = await this.make(run, full);
      const left = until - clock.monotonic();
      if (full.room + dropped < run.messages.length) {
        if (left <= 0 || (dropped === 0 && full.whenFull === 'reject')) return full;
        if (dropped === 0) await sleep(clock, Math.min(pauseMs, left));
      }
      const reply = await ask();
      if (!isFull(reply) || left <= 0) return reply;
      full = reply;
    }
  }

  private async make({ topic, queue, messages }: QueueRun, full: Full): Promise<number> {
    const { log, clock } = this.options;
    const missing = messages.length - full.room;
    const request = roomRequest(full.whenFull, { missing, now: clock.now() });
    return (await log.makeRoom({ topic, queue }, request)).dropped;
  }

  /** Nothing should give way to what will never fit. */
  private async isTooLong({ topic, messages }: QueueRun): Promise<boolean> {
    const { maxLength } = await this.options.topics.get(topic);
    return maxLength !== null && messages.length > maxLength;
  }
}

function isFull<Reply extends { state: string }>(reply: Reply): reply is Reply & Full {
  return reply.state === 'full';
}
