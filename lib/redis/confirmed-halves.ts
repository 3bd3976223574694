import { AcksMissedError } from '../core/message/errors.js';
import { isReached, missedAcks } from '../core/producer/wanted-acks.js';
import type { HalfCall } from '../core/store/half-message-store.js';
import type { AcksWanted } from '../core/store/message-log.js';
import type { QueueRef } from '../core/store/refs.js';
import type { AckedQueues } from './acked-queues.js';
import type { ScriptHost } from './script.js';

/** Moves of halves that are answered once they are stored as far as was asked for: where nothing was, at once. */
export class ConfirmedHalves {
  private readonly host: ScriptHost;
  private readonly acked: AckedQueues;

  constructor(options: { host: ScriptHost; acked: AckedQueues }) {
    this.host = options.host;
    this.acked = options.acked;
  }

  /** @throws AcksMissedError it was carried out, and confirmed no further. */
  run<Reply extends { state: string }>(
    call: QueueRef & Pick<HalfCall, 'acks'>,
    work: (host: ScriptHost) => Promise<Reply[]>,
  ): Promise<Reply[]> {
    return call.acks ? this.confirmed(call, call.acks, work) : work(this.host);
  }

  private async confirmed<Reply extends { state: string }>(
    queue: QueueRef,
    acks: AcksWanted,
    work: (host: ScriptHost) => Promise<Reply[]>,
  ): Promise<Reply[]> {
    const { replies, reached } = await this.acked.of(queue).run(acks, {
      work: async (host) => ({ replies: await work(host) }),
      wrote: (done) =>
        done.replies.some(({ state }) => state === 'prepared' || state === 'committed'),
      // By an earlier call, perhaps, whose answer was lost.
      touch: true,
    });
    if (reached === undefined || isReached(acks, reached)) return replies;
    const missed = missedAcks(acks, reached);
    throw new AcksMissedError(
      `It is in the memory of the server, but ${missed}: it stays unless the server fails now`,
      { missed },
    );
  }
}
