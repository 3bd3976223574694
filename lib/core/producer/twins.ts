import type { SendResult } from '../message/message.js';
import type { OpenRequest } from './open-requests.js';

/** One whose message is a duplicate. */
export interface Duplicate {
  readonly request: OpenRequest;
  readonly sent: SendResult;
  /** Number of the last request that had been made when it was confirmed: it waits for the confirms of no later ones. */
  readonly until: number;
}

interface Family {
  /** Oldest first. */
  readonly sending: OpenRequest[];
  readonly waiting: Duplicate[];
}

/**
 * Requests that a dedup id makes one message, as long as the message of one of them is not confirmed: that may be the first one,
 * whatever the order of the confirms, since it may wait for more than the memory of a server.
 */
export class Twins {
  private readonly byId = new Map<string, Family>();

  /** Of a request with a dedup id: its message is sent, or will be. */
  begin(request: OpenRequest): void {
    const name = nameOf(request);
    const family = this.byId.get(name);
    if (family) family.sending.push(request);
    else this.byId.set(name, { sending: [request], waiting: [] });
  }

  /** Whether another one of which it may be the same message is not confirmed yet. */
  isSending(request: OpenRequest): boolean {
    const others = this.byId.get(nameOf(request))?.sending ?? [];
    return others.some((each) => each !== request);
  }

  /**
   * Its message is confirmed, as a `duplicate` or as the first one, or will never be.
   *
   * @returns duplicates that have no other one to wait for.
   */
  end(request: OpenRequest, duplicate?: Omit<Duplicate, 'request'>): Duplicate[] {
    const name = nameOf(request);
    const { sending, waiting } = this.byId.get(name)!;
    if (duplicate) waiting.push({ request, ...duplicate });
    sending.splice(sending.indexOf(request), 1);
    const oldest = sending[0]?.number;
    if (oldest === undefined) {
      this.byId.delete(name);
      return waiting;
    }
    const over = waiting.filter(({ until }) => until < oldest);
    for (const each of over) waiting.splice(waiting.indexOf(each), 1);
    return over;
  }
}

function nameOf({ topic, dedupId }: OpenRequest): string {
  return `${topic} ${dedupId}`;
}
