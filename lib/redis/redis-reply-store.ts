import { randomBytes } from 'node:crypto';
import { joined, parted } from '../core/message/joined.js';
import type { ReplyInbox, ReplyStore } from '../core/store/reply-store.js';
import { BlockingReader } from './blocking-reader.js';
import type { Connections } from './connections.js';
import type { RawEntry } from './entry-content.js';
import { answer } from './errors.js';
import type { Keys } from './keys.js';
import { scripts } from './scripts.js';

/** Field of an entry: its packets as `joined` puts them. */
const PACKETS = 'p';
/** Entries nobody has read yet; beyond that the oldest are dropped. */
const MOST_WAITING = 10_000;
const MOST_PER_READ = 100;
/** Read entries are dropped from the inbox after so many. */
const TIDY_AFTER = 1_000;
/** What one entry holds at most, unless it is a single packet. */
const MOST_IN_ENTRY = { packets: 64, bytes: 256 * 1024 };

type Reply = 'sent' | 'gone';

/** Packets to one inbox that leave together. */
class Bundle {
  readonly packets: Buffer[] = [];
  bytes = 0;
  sent!: (reply: Promise<Reply>) => void;
  readonly reply = new Promise<Reply>((resolve) => (this.sent = resolve));

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

  constructor(options: { connections: Connections; keys: Keys }) {
    this.connections = options.connections;
    this.keys = options.keys;
  }

  async openInbox(options: { ttlMs: number }): Promise<ReplyInbox> {
    const address = randomBytes(16).toString('base64url');
    const inbox = new RedisReplyInbox({
      address,
      key: this.keys.inbox(address),
      ttlMs: options.ttlMs,
      connections: this.connections,
    });
    await inbox.renew();
    return inbox;
  }

  reply(address: string, packet: Buffer): Promise<Reply> {
    const bundles = this.bundlesFor(address);
    let bundle = bundles.at(-1);
    if (!bundle?.hasRoomFor(packet)) bundles.push((bundle = new Bundle()));
    bundle.add(packet);
    return bundle.reply;
  }

  private bundlesFor(address: string): Bundle[] {
    if (this.bundles.size === 0) process.nextTick(() => this.flush());
    let bundles = this.bundles.get(address);
    if (!bundles) this.bundles.set(address, (bundles = []));
    return bundles;
  }

  private flush(): void {
    const all = this.bundles;
    this.bundles = new Map();
    for (const [address, bundles] of all)
      for (const bundle of bundles) bundle.sent(this.send(address, bundle.packets));
  }

  private async send(address: string, packets: readonly Buffer[]): Promise<Reply> {
    const key = this.keys.inbox(address);
    const { redis } = this.connections.gathered;
    const id = await answer(
      { operation: 'XADD', key },
      redis.xadd(key, 'NOMKSTREAM', 'MAXLEN', '~', MOST_WAITING, '*', PACKETS, joined(packets)),
    );
    return id === null ? 'gone' : 'sent';
  }
}

class RedisReplyInbox implements ReplyInbox {
  readonly address: string;
  private readonly key: string;
  private readonly ttlMs: number;
  private readonly connections: Connections;
  private readonly reader: BlockingReader;
  private lastRead = '0-0';
  /** Read since the inbox was last tidied. */
  private untidied = 0;
  private renewAt = 0;

  constructor(options: { address: string; key: string; ttlMs: number; connections: Connections }) {
    this.address = options.address;
    this.key = options.key;
    this.ttlMs = options.ttlMs;
    this.connections = options.connections;
    this.reader = new BlockingReader({
      name: `Inbox ${options.address}`,
      connections: options.connections,
      key: options.key,
    });
  }

  async read(options: { blockMs: number; signal: AbortSignal }): Promise<Buffer[]> {
    if (performance.now() >= this.renewAt || this.untidied >= TIDY_AFTER) await this.renew();
    const reply = await answer(
      { operation: 'XREAD', key: this.key },
      this.reader.read(options.signal, (redis, longestMs) => {
        // The lifetime is renewed between reads.
        const wait = Math.ceil(Math.min(options.blockMs, longestMs, this.ttlMs / 3));
        const args = ['COUNT', String(MOST_PER_READ)];
        if (wait > 0) args.push('BLOCK', String(wait));
        args.push('STREAMS', this.key, this.lastRead);
        return redis.callBuffer('xread', ...args) as Promise<[Buffer, RawEntry[]][] | null>;
      }),
    );
    const entries = reply?.[0]?.[1] ?? [];
    const last = entries.at(-1);
    if (last) this.lastRead = last[0].toString('latin1');
    this.untidied += entries.length;
    return entries.flatMap(([, fields]) => (fields?.[1] ? parted(fields[1]) : []));
  }

  async close(): Promise<void> {
    await this.reader.close();
    await answer({ operation: 'UNLINK', key: this.key }, this.connections.redis.unlink(this.key));
  }

  async renew(): Promise<void> {
    this.renewAt = performance.now() + this.ttlMs / 3;
    this.untidied = 0;
    await scripts.renewInbox.run(this.connections, {
      keys: { inbox: this.key },
      args: { read: this.lastRead, ttlMs: String(this.ttlMs) },
    });
  }
}
