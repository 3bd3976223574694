import type { Clock } from '../runtime/clock.js';
import { Loop } from '../runtime/loop.js';
import type { ReplyInbox, ReplyStore } from '../store/reply-store.js';

/** How long the inbox outlives its process. Read at least once in a third of it while somebody waits. */
const TTL_MS = 60_000;

export interface OwnInboxOptions {
  /** Of the loop that reads it, for whoever looks at what runs. */
  name: string;
  replies: ReplyStore;
  clock: Clock;
  /** Most bytes that wait in the store until they are read. */
  maxBytes: number;
  /** When it throws, `onError` tells of it; what was read with it is taken all the same. */
  take(packet: Buffer): void;
  onError(error: unknown): void;
}

/** Where others answer this process: opened when somebody first needs it, and read until it is closed. */
export class OwnInbox {
  private readonly options: OwnInboxOptions;
  private opening: Promise<ReplyInbox> | undefined;
  private loop: Loop | undefined;

  constructor(options: OwnInboxOptions) {
    this.options = options;
  }

  /** Resolves with its address. Safe to repeat: it is opened once, and after a failure the next call tries again. */
  async address(): Promise<string> {
    this.opening ??= this.open().catch((error: unknown) => {
      this.opening = undefined;
      throw error;
    });
    return (await this.opening).address;
  }

  /** Never rejects. A store that is down keeps it until its lifetime is over: no reason for a shutdown to fail. */
  async close(): Promise<void> {
    const inbox = await this.opening?.catch(() => undefined);
    const stopped = this.loop?.stop();
    await inbox?.close().catch(() => undefined);
    await stopped;
  }

  private async open(): Promise<ReplyInbox> {
    const { name, replies, clock, maxBytes, onError } = this.options;
    const inbox = await replies.openInbox({ ttlMs: TTL_MS, maxBytes });
    this.loop = new Loop({
      name,
      clock,
      step: async (signal) => {
        this.take(await inbox.read({ blockMs: 5_000, signal }));
        return 0;
      },
      onError,
    }).start();
    return inbox;
  }

  /** Thousands of packets may be of no use: that is told once. */
  private take(packets: readonly Buffer[]): void {
    const errors: unknown[] = [];
    for (const packet of packets)
      try {
        this.options.take(packet);
      } catch (error) {
        errors.push(error);
      }
    if (errors.length === 0) return;
    const [first] = errors;
    const others = errors.length > 1 ? `, and ${errors.length - 1} others read with it` : '';
    this.options.onError(
      new Error(`a packet was dropped${others}: ${(first as Error).message}`, { cause: first }),
    );
  }
}
