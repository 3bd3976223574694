/** What a packet takes beside its bytes. */
const OVERHEAD_BYTES = 256;

interface Early<P> {
  readonly packets: P[];
  bytes: number;
  /** Number of the last send before the first of them: they are about that one or an older one. */
  readonly lastNumber: number;
}

/**
 * Packets that may have overtaken the confirm of the message they are about, in the order they came.
 *
 * Bounded by their bytes: anybody may write into an inbox, and what is about no message of ours is kept as long as one sent
 * before it is not confirmed.
 */
export class EarlyPackets<P> {
  private readonly maxBytes: number;
  private readonly byMessage = new Map<string, Early<P>>();
  private bytes = 0;

  constructor(options: { maxBytes: number }) {
    this.maxBytes = options.maxBytes;
  }

  /** Messages with packets. */
  get size(): number {
    return this.byMessage.size;
  }

  /** @returns false when there is no room: the packet is dropped, as if it had been lost. */
  keep(messageId: string, packet: P, about: { bytes: number; lastNumber: number }): boolean {
    const bytes = about.bytes + OVERHEAD_BYTES;
    if (this.bytes + bytes > this.maxBytes) return false;
    this.bytes += bytes;
    const early = this.byMessage.get(messageId);
    if (early) {
      early.packets.push(packet);
      early.bytes += bytes;
    } else {
      const { lastNumber } = about;
      this.byMessage.set(messageId, { packets: [packet], bytes, lastNumber });
    }
    return true;
  }

  /** The message is confirmed: these are about it. They are not kept any longer. */
  take(messageId: string): readonly P[] {
    return this.forget(messageId)?.packets ?? [];
  }

  /** The same, and they are kept. */
  of(messageId: string): readonly P[] {
    return this.byMessage.get(messageId)?.packets ?? [];
  }

  /** What is about none of the sends under way, the oldest of which has this number, is late, not early. */
  forgetBefore(oldestSending: number): void {
    for (const [messageId, { lastNumber }] of this.byMessage) {
      if (lastNumber >= oldestSending) return;
      this.forget(messageId);
    }
  }

  private forget(messageId: string): Early<P> | undefined {
    const early = this.byMessage.get(messageId);
    this.byMessage.delete(messageId);
    this.bytes -= early?.bytes ?? 0;
    return early;
  }
}
