import { ClosedError, LimitReachedError } from '../message/errors.js';
import type { SendResult } from '../message/message.js';
import { decodeReceipt, type ReceiptPacket } from '../message/receipt-packet.js';
import { type Clock, sleep } from '../runtime/clock.js';
import type { DeliveryStore } from '../store/delivery-store.js';
import type { ReplyStore } from '../store/reply-store.js';
import type { TopicRegistry } from '../store/topic-registry.js';
import { AwaitedReceipts, type Waiting } from './awaited-receipts.js';
import { EarlyPackets } from './early-packets.js';
import { OwnInbox } from './own-inbox.js';
import { ReceiptTimeoutError, type ReceiptWanted } from './receipt.js';
import type { RequestSettings } from './request-settings.js';

export interface ReceiptsOptions {
  replies: ReplyStore;
  deliveries: Pick<DeliveryStore, 'lag'>;
  topics: Pick<TopicRegistry, 'groups'>;
  clock: Clock;
  limits: Pick<RequestSettings, 'maxReceipts' | 'maxInboxBytes'>;
  onError(error: unknown): void;
}

/** Senders that wait for what becomes of their messages. One inbox per process, opened when somebody first asks. */
export class Receipts {
  private readonly options: ReceiptsOptions;
  private readonly awaited = new AwaitedReceipts();
  /** Receipts that may have overtaken the confirm of their message. */
  private readonly early: EarlyPackets<ReceiptPacket>;
  /** Numbers of the sends that are not confirmed, oldest first. */
  private readonly sending = new Set<number>();
  private lastNumber = 0;
  /** Sends whose receipts are not all there, from before they are stored. */
  private collecting = 0;
  private readonly inbox: OwnInbox;
  private readonly closing = new AbortController();

  constructor(options: ReceiptsOptions) {
    this.options = options;
    const { replies, clock, limits, onError } = options;
    const maxBytes = limits.maxInboxBytes;
    this.early = new EarlyPackets({ maxBytes });
    const take = (packet: Buffer): void => this.take(decodeReceipt(packet), packet.length);
    this.inbox = new OwnInbox({ name: 'receipts', replies, clock, maxBytes, take, onError });
  }

  /** Messages whose receipts are kept for a confirm that may still come. */
  get kept(): number {
    return this.early.size;
  }

  /** Messages whose receipts somebody waits for. */
  get waitedFor(): number {
    return this.awaited.size;
  }

  /** Resolves when there is a place where receipts can go. After a failure the next call tries again. */
  async open(): Promise<void> {
    await this.address();
  }

  /**
   * Send with `send`, which is told where receipts go, and wait for the groups. Rejects as `send` does.
   *
   * @throws ReceiptTimeoutError; LimitReachedError when too many wait, before anything is sent.
   */
  async collect(
    wanted: ReceiptWanted,
    send: (receiptTo: string) => Promise<SendResult>,
  ): Promise<SendResult> {
    const { maxReceipts } = this.options.limits;
    if (this.collecting >= maxReceipts) throw tooManyReceipts(maxReceipts);
    this.collecting += 1;
    try {
      return await this.sendAndWait(wanted, send);
    } finally {
      this.collecting -= 1;
    }
  }

  /** Those who wait are answered with what is known. Never rejects. */
  async close(): Promise<void> {
    this.closing.abort();
    await this.inbox.close();
  }

  private async sendAndWait(
    { groups, timeoutMs }: ReceiptWanted,
    send: (receiptTo: string) => Promise<SendResult>,
  ): Promise<SendResult> {
    const address = await this.address();
    const missing = new Set(groups);
    const over = new AbortController();
    const waiting: Waiting = { outcomes: new Map(), missing, done: () => over.abort() };
    const sent = await this.sendWith(() => send(address), waiting);
    try {
      if (missing.size > 0)
        await sleep(
          this.options.clock,
          timeoutMs,
          AbortSignal.any([over.signal, this.closing.signal]),
        );
    } finally {
      this.awaited.leave(sent.messageId, waiting);
    }
    if (missing.size > 0)
      throw new ReceiptTimeoutError(sent, {
        timeoutMs,
        outcomes: Object.fromEntries(waiting.outcomes),
        known: await this.known(sent, [...missing]),
      });
    // As they were asked for, not as they came.
    const inOrder = groups.map((group) => [group, waiting.outcomes.get(group)!] as const);
    return { ...sent, outcomes: Object.fromEntries(inOrder) };
  }

  private async sendWith(send: () => Promise<SendResult>, waiting: Waiting): Promise<SendResult> {
    const number = ++this.lastNumber;
    this.sending.add(number);
    try {
      const sent = await send();
      this.awaited.join(sent.messageId, waiting);
      for (const receipt of this.early.take(sent.messageId)) this.awaited.take(receipt);
      return sent;
    } finally {
      this.sending.delete(number);
      const [oldest = Infinity] = this.sending;
      // What is about none of the sends under way is late, or of a group that nobody asked for.
      this.early.forgetBefore(oldest);
    }
  }

  private take(receipt: ReceiptPacket, bytes: number): void {
    if (this.awaited.take(receipt) || this.sending.size === 0) return;
    const { messageId } = receipt;
    if (!this.early.keep(messageId, receipt, { bytes, lastNumber: this.lastNumber }))
      throw new Error(
        `a receipt of message ${messageId} is dropped: those that wait for the confirms of their messages take as many bytes as requests.maxInboxBytes allows`,
      );
  }

  /** What the queue says about each of these groups. Never rejects. */
  private async known(
    { topic, queue }: SendResult,
    missing: string[],
  ): Promise<Map<string, string>> {
    const { topics, deliveries } = this.options;
    const entries = await Promise.all(
      missing.map(async (group): Promise<[string, string]> => {
        try {
          const groups = await topics.groups(topic);
          if (!groups.some((one) => one.group === group))
            return [group, 'has not subscribed to the topic'];
          const lag = await deliveries.lag({ topic, queue, group });
          const { undelivered, inFlight, waiting, held, deadLetters } = lag;
          return [
            group,
            `in its queue ${undelivered ?? 'an unknown number'} undelivered, ${inFlight} in hand, ${waiting} waiting for another attempt, ${held} held, ${deadLetters} dead letters`,
          ];
        } catch (error) {
          return [group, `the store could not be asked: ${(error as Error).message}`];
        }
      }),
    );
    return new Map(entries);
  }

  private async address(): Promise<string> {
    if (this.closing.signal.aborted)
      throw new ClosedError('Send: the application is closing. Nothing was stored.');
    return this.inbox.address();
  }
}

function tooManyReceipts(most: number): LimitReachedError {
  return new LimitReachedError(
    `${most} sends of this process wait for their receipts, which is all that may (requests.maxReceipts). Nothing was stored; await some of them, then send again.`,
    { limit: 'requests.maxReceipts' },
  );
}
