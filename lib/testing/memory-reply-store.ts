import type { ReplyInbox, ReplyState, ReplyStore } from '../core/store/reply-store.js';
import type { MemoryGate } from './memory-gate.js';
import type { MemoryState } from './memory-state.js';
import { MemoryWait } from './memory-wait.js';

export class MemoryReplyStore implements ReplyStore {
  private readonly state: MemoryState;
  private readonly gate: MemoryGate;

  constructor(state: MemoryState, gate: MemoryGate) {
    this.state = state;
    this.gate = gate;
  }

  openInbox(options: { ttlMs: number; maxBytes: number }): Promise<ReplyInbox> {
    return this.gate.call(() => {
      const address = `inbox-${this.state.nextSerial()}`;
      const inbox = new MemoryReplyInbox({
        state: this.state,
        gate: this.gate,
        address,
        ...options,
      });
      inbox.keep();
      return inbox;
    });
  }

  reply(address: string, packet: Buffer): Promise<ReplyState> {
    return this.gate.call(() => {
      const inbox = this.state.inboxes.get(address);
      if (!inbox || inbox.goneAt <= this.gate.clock.now()) {
        this.state.inboxes.delete(address);
        return 'gone';
      }
      const waiting = inbox.packets.reduce((sum, { length }) => sum + length, 0);
      if (waiting > 0 && waiting + packet.length > inbox.maxBytes) return 'full';
      inbox.packets.push(Buffer.from(packet));
      this.state.changed();
      return 'sent';
    });
  }

  revive(address: string, options: { ttlMs: number; maxBytes: number }): Promise<void> {
    return this.gate.call(() => {
      const { inboxes } = this.state;
      const now = this.gate.clock.now();
      if ((inboxes.get(address)?.goneAt ?? 0) > now) return;
      const { ttlMs, maxBytes } = options;
      inboxes.set(address, { packets: [], goneAt: now + ttlMs, maxBytes });
    });
  }
}

class MemoryReplyInbox implements ReplyInbox {
  readonly address: string;
  private readonly state: MemoryState;
  private readonly gate: MemoryGate;
  private readonly ttlMs: number;
  private readonly maxBytes: number;
  private readonly wait: MemoryWait;

  constructor(options: {
    state: MemoryState;
    gate: MemoryGate;
    address: string;
    ttlMs: number;
    maxBytes: number;
  }) {
    this.state = options.state;
    this.gate = options.gate;
    this.address = options.address;
    this.ttlMs = options.ttlMs;
    this.maxBytes = options.maxBytes;
    this.wait = new MemoryWait({ ...options, who: 'The reply inbox' });
  }

  read(request: { blockMs: number; signal: AbortSignal }): Promise<Buffer[]> {
    return this.wait.until(() => this.keep().splice(0), request);
  }

  close(): Promise<void> {
    void this.wait.close();
    return this.gate.call(() => {
      this.state.inboxes.delete(this.address);
    });
  }

  /** The inbox lives on for its lifetime; one that had lapsed (a long pause) begins again, empty. */
  keep(): Buffer[] {
    const now = this.gate.clock.now();
    const found = this.state.inboxes.get(this.address);
    const inbox =
      found && found.goneAt > now ? found : { packets: [], goneAt: 0, maxBytes: this.maxBytes };
    inbox.goneAt = now + this.ttlMs;
    this.state.inboxes.set(this.address, inbox);
    return inbox.packets;
  }
}
