import { randomBytes } from 'node:crypto';
import { joined, parted } from '../core/message/joined.js';
import type { ReplyInbox, ReplyState, ReplyStore } from '../core/store/reply-store.js';
import { BlockingReader } from './blocking-reader.js';
import type { Connections } from './connections.js';
import { DirectCommand } from './direct-command.js';
import { answer } from './errors.js';
import type { InboxKeys, Keys } from './keys.js';
import { scripts } from './scripts.js';
import { type RawStreams, streamsOf } from './stream-reply.js';

/** Field of an entry: its packets as `joined` puts them. */
const PACKETS = 'p';
/** Entries nobody has read yet; beyond that the oldest are dropped. */
const MOST_WAITING = 10_000;
/** Entries up to here are bounded by their number alone, which is 40 MB: a script for each would cost more than they do. */
const SMALL_BYTES = 4_096;
const MOST_PER_READ = 100;
/** Read entries are dropped from the inbox after so many, or after this part of the bytes that may wait there. */
const TIDY_AFTER = { entries: 1_000, share: 1 / 8 };
/** What one entry holds at most, unless it is a single packet. */
const MOST_IN_ENTRY = { packets: 64, bytes: 256 * 1024 };

/** Packets to one inbox that leave together. */
class Bundle {
  readonly packets: Buffer[] = [];
  bytes = 0;
  sent!: (reply: Promise<ReplyState>) => void;
  readonly reply = new Promise<ReplyState>((resolve) => (this.sent = resolve));

  add(packet: Buffer): void {
    this.packets.push(packet);
    this.bytes += packet.length;
  }

  hasRoomFor(packet: Buffer): boolean {
    return (
      this.packets.length < MOST_IN_ENTRY.packets &&
      this.bytes + packet.length <= MOST_IN_ENTRY.bytes
    );
  }
}

/** One stream per inbox, which expires when nobody reads it. Packets of one turn to one inbox are one entry. */
export class RedisReplyStore implements ReplyStore {
  private readonly connections: Connections;
  private readonly keys: Keys;
  /** What leaves when this turn ends, by address. */
  private bundles = new Map<string, Bundle[]>();
  /** Those of the answer before: the next one mostly goes to the same requester, and says so with a text that has no hash yet. */
  private latest: { address: string; bundles: Bundle[] } | undefined;

  constructor(options: { connections: Connections; keys: Keys }) {
    this.connections = options.connections;
    this.keys = options.keys;
  }

  async openInbox(options: { ttlMs: number; maxBytes: number }): Promise<ReplyInbox> {
    const address = randomBytes(16).toString('base64url');
    const inbox = new RedisReplyInbox({
      address,
      keys: this.keys.inbox(address),
      ...options,
      connections: this.connections,
    });
    await inbox.renew();
    return inbox;
  }

  reply(address: string, packet: Buffer): Promise<ReplyState> {
    const bundles = this.bundlesFor(address);
    let bundle = bundles.at(-1);
    if (!bundle?.hasRoomFor(packet)) bundles.push((bundle = new Bundle()));
    bundle.add(packet);
    return bundle.reply;
  }

  async revive(address: string, options: { ttlMs: number; maxBytes: number }): Promise<void> {
    await scripts.reviveInbox.run(this.connections, {
      keys: this.keys.inbox(address),
      args: { ttlMs: String(options.ttlMs), most: String(options.maxBytes) },
    });
  }

  private bundlesFor(address: string): Bundle[] {
    if (this.bundles.size === 0) process.nextTick(() => this.flush());
    if (this.latest?.address === address) return this.latest.bundles;
    let bundles = this.bundles.get(address);
    if (!bundles) this.bundles.set(address, (bundles = []));
    this.latest = { address, bundles };
    return bundles;
  }

  private flush(): void {
    const all = this.bundles;
    this.bundles = new Map();
    this.latest = undefined;
    for (const [address, bundles] of all)
      for (const bundle of bundles) bundle.sent(this.send(address, bundle.packets));
  }

  private async send(address: string, all: readonly Buffer[]): Promise<ReplyState> {
    const keys = this.keys.inbox(address);
    const packets = joined(all);
    const host = this.connections.gathered;
    if (packets.length > SMALL_BYTES) {
      const [word] = await scripts.postReply.run(host, { keys, args: { packets } });
      return word as ReplyState;
    }
    const key = keys.inbox;
    const id = await answer(
      { operation: 'XADD', key },
      host.redis.xadd(key, 'NOMKSTREAM', 'MAXLEN', '~', MOST_WAITING, '*', PACKETS, packets),
    );
    return id === null ? 'gone' : 'sent';
  }
}

class RedisReplyInbox implements ReplyInbox {
  readonly address: string;
  private readonly keys: InboxKeys;
  private readonly ttlMs: number;
  private readonly maxBytes: number;
  private readonly connections: Connections;
  private readonly reader: BlockingReader;
  private lastRead = '0-0';
  /** Read since the inbox was last tidied; `large`: bytes of large entries. */
  private untidied = { entries: 0, large: 0 };
  private renewAt = 0;

  constructor(options: {
    address: string;
    keys: InboxKeys;
    ttlMs: number;
    maxBytes: number;
    connections: Connections;
  }) {
    this.address = options.address;
    this.keys = options.keys;
    this.ttlMs = options.ttlMs;
    this.maxBytes = options.maxBytes;
    this.connections = options.connections;
    this.reader = new BlockingReader({
      name: `Inbox ${options.address}`,
      connections: options.connections,
      key: options.keys.inbox,
    });
  }

  async read(options: { blockMs: number; signal: AbortSignal }): Promise<Buffer[]> {
    if (performance.now() >= this.renewAt || this.isUntidy) await this.renew();
    const { inbox } = this.keys;
    const reading = this.reader.read(options.signal, (redis, longestMs) => {
      // The lifetime is renewed between reads.
      const wait = Math.ceil(Math.min(options.blockMs, longestMs, this.ttlMs / 3));
      const args = ['COUNT', String(MOST_PER_READ)];
      if (wait > 0) args.push('BLOCK', String(wait));
      args.push('STREAMS', inbox, this.lastRead);
      const command = new DirectCommand('xread', args, { replyEncoding: null });
      return redis.sendCommand(command) as Promise<RawStreams | null>;
    });
    const reply = await answer({ operation: 'XREAD', key: inbox }, reading).catch(
      (error: unknown) => {
        // A server that comes back may have lost the inbox.
        this.renewAt = 0;
        throw error;
      },
    );
    const entries = (reply && streamsOf(reply)[0]?.entries) ?? [];
    const last = entries.at(-1);
    if (last) this.lastRead = last[0].toString('latin1');
    this.untidied.entries += entries.length;
    const packets: Buffer[] = [];
    // Not flatMap, which asks V8's runtime for each packet.
    for (const [, fields] of entries)
      for (const packet of this.packetsOf(fields?.[1])) packets.push(packet);
    return packets;
  }

  private packetsOf(packets: Buffer | undefined): Buffer[] {
    if (!packets) return [];
    if (packets.length > SMALL_BYTES) this.untidied.large += packets.length;
    return parted(packets, MOST_IN_ENTRY.packets);
  }

  private get isUntidy(): boolean {
    const { entries, large } = this.untidied;
    return entries >= TIDY_AFTER.entries || large >= this.maxBytes * TIDY_AFTER.share;
  }

  async close(): Promise<void> {
    await this.reader.close();
    const { inbox, room } = this.keys;
    await answer({ operation: 'UNLINK', key: inbox }, this.connections.redis.unlink(inbox, room));
  }

  async renew(): Promise<void> {
    this.renewAt = performance.now() + this.ttlMs / 3;
    const { large } = this.untidied;
    this.untidied = { entries: 0, large: 0 };
    const [word] = await scripts.renewInbox.run(this.connections, {
      keys: this.keys,
      args: {
        read: this.lastRead,
        ttlMs: String(this.ttlMs),
        most: String(this.maxBytes),
        readLarge: String(large),
      },
    });
    // Another stream, perhaps of another server, whose clock may be behind.
    if (word === 'created') this.lastRead = '0-0';
  }
}
