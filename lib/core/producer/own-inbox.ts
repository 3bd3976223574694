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
  /** What it throws is told by `onError`, and takes nothing along that was read with it. */
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
    const { name, replies, clock, onError } = this.options;
    const inbox = await replies.openInbox({ ttlMs: TTL_MS });
    this.loop = new Loop({
      name,
      clock,
      step: async (signal) => {
        for (const packet of await inbox.read({ blockMs: 5_000, signal })) this.take(packet);
        return 0;
      },
      onError,
    }).start();
    return inbox;
  }

  private take(packet: Buffer): void {
    try {
      this.options.take(packet);
    } catch (error) {
      this.options.onError(error);
    }
  }
}
