import { ClosedError } from '../core/message/errors.js';
import type { ReplyInbox, ReplyStore } from '../core/store/reply-store.js';
import { firstOf, type MemoryGate, onAbort } from './memory-gate.js';
import type { MemoryState } from './memory-state.js';

export class MemoryReplyStore implements ReplyStore {
  private readonly state: MemoryState;
  private readonly gate: MemoryGate;

  constructor(state: MemoryState, gate: MemoryGate) {
    this.state = state;
    this.gate = gate;
  }

  openInbox(options: { ttlMs: number }): Promise<ReplyInbox> {
    return this.gate.call(() => {
      const address = `inbox-${this.state.nextSerial()}`;
      const inbox = new MemoryReplyInbox({
        state: this.state,
        gate: this.gate,
        address,
        ttlMs: options.ttlMs,
      });
      inbox.keep();
      return inbox;
    });
  }

  reply(address: string, packet: Buffer): Promise<'sent' | 'gone'> {
    return this.gate.call(() => {
      const inbox = this.state.inboxes.get(address);
      if (!inbox || inbox.goneAt <= this.gate.clock.now()) {
        this.state.inboxes.delete(address);
        return 'gone';
      }
      inbox.packets.push(Buffer.from(packet));
      this.state.changed();
      return 'sent';
    });
  }
}

class MemoryReplyInbox implements ReplyInbox {
  readonly address: string;
  private readonly state: MemoryState;
  private readonly gate: MemoryGate;
  private readonly ttlMs: number;
  private readonly closing = new AbortController();

  constructor(options: { state: MemoryState; gate: MemoryGate; address: string; ttlMs: number }) {
    this.state = options.state;
    this.gate = options.gate;
    this.address = options.address;
    this.ttlMs = options.ttlMs;
  }

  async read({ blockMs, signal }: { blockMs: number; signal: AbortSignal }): Promise<Buffer[]> {
    const { clock } = this.gate;
    const until = clock.monotonic() + blockMs;
    if (this.closing.signal.aborted)
      throw new ClosedError('The reply inbox is closed; nothing was read. Open another.');
    for (;;) {
      this.gate.enter();
      const packets = this.keep().splice(0);
      const leftMs = until - clock.monotonic();
      if (packets.length > 0 || leftMs <= 0 || signal.aborted) return this.gate.answer(packets);
      await firstOf([
        (wake) => this.state.onChange(wake),
        (wake) => this.gate.onInterrupt(wake),
        (wake) => clock.after(leftMs, wake),
        onAbort(signal),
        onAbort(this.closing.signal),
      ]);
      if (this.closing.signal.aborted) return [];
    }
  }

  close(): Promise<void> {
    this.closing.abort();
    return this.gate.call(() => {
      this.state.inboxes.delete(this.address);
    });
  }

  /** The inbox lives on for its lifetime; one that had lapsed (a long pause) begins again, empty. */
  keep(): Buffer[] {
    const now = this.gate.clock.now();
    const found = this.state.inboxes.get(this.address);
    const inbox = found && found.goneAt > now ? found : { packets: [], goneAt: 0 };
    inbox.goneAt = now + this.ttlMs;
    this.state.inboxes.set(this.address, inbox);
    return inbox.packets;
  }
}
