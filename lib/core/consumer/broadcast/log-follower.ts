import { offsetBeforeTime } from '../../message/offset.js';
import type { DeliveredEntry, GroupReader } from '../../store/delivery-store.js';
import type { LogReader, MessageLog } from '../../store/message-log.js';
import type { QueueRef, StartFrom } from '../../store/refs.js';

const BEFORE_ALL = '0-0';

/**
 * Reads queues as a group's reader does, each from a place of its own that only this process knows.
 *
 * The place moves when a read is answered: one whose reply got lost is simply read again.
 */
export class LogFollower implements GroupReader {
  private readonly log: MessageLog;
  private readonly reader: LogReader;
  private readonly places = new Map<string, string>();

  constructor(options: { log: MessageLog }) {
    this.log = options.log;
    this.reader = options.log.openReader();
  }

  /** Read the queue from here on. */
  async begin(ref: QueueRef, from: StartFrom): Promise<void> {
    this.places.set(nameOf(ref), await this.startOf(ref, from));
  }

  /** It is not read any more. */
  forget(ref: QueueRef): void {
    this.places.delete(nameOf(ref));
  }

  async read(request: Parameters<GroupReader['read']>[0]): Promise<DeliveredEntry[]> {
    const { queues, ...limits } = request;
    const positions = queues.map((ref) => ({
      ...ref,
      after: this.places.get(nameOf(ref)) ?? BEFORE_ALL,
    }));
    const entries = await this.reader.read({ ...limits, positions });
    for (const entry of entries) this.places.set(nameOf(entry), entry.offset);
    return entries.map((entry) => ({
      ...entry,
      attempt: 1,
      deliveryCount: 1,
      suspect: false,
      history: '',
    }));
  }

  close(): Promise<void> {
    return this.reader.close();
  }

  private async startOf(ref: QueueRef, from: StartFrom): Promise<string> {
    if (from === 'earliest') return BEFORE_ALL;
    if (from === 'latest') return (await this.log.extent(ref)).last ?? BEFORE_ALL;
    return offsetBeforeTime(from.getTime());
  }
}

function nameOf({ topic, queue }: QueueRef): string {
  return `${topic}/${queue}`;
}
