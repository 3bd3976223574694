import { once } from 'node:events';
import net from 'node:net';

type Direction = 'request' | 'reply';

/** What happens to a connection: nothing, or a cut after so many bytes in one direction. */
type Fate = { cutAfterBytes: number; direction: Direction } | undefined;

/** Whether a connection is cut at this piece, and whether that still arrives; `mute`: it does, and nothing comes back. */
type Cut = 'before' | 'after' | 'mute' | undefined;
type CutAt = (direction: Direction, chunk: Buffer, connection: object) => Cut;

/** How what passes is held up: each piece for a random time, in pieces of so many bytes. */
interface Weather {
  delayMs: () => number;
  /** Default: as it comes. */
  pieceBytes?: number;
}

const FINE: Weather = { delayMs: () => 0 };

/**
 * Stands between a client and a server (Redis, a database) and breaks what passes: cuts connections within a request or a
 * reply, swallows everything without a word, holds it up and chops it, or refuses to connect.
 */
export class TcpProxy {
  cuts = 0;
  /** Connections that clients asked for. */
  asked = 0;
  private readonly server: net.Server;
  private readonly links = new Set<Link>();
  private fateOf: () => Fate = () => undefined;
  private cutAt: CutAt = () => undefined;
  private swallowing = false;
  private refusing = false;
  private weather: Weather | undefined;

  private constructor(private readonly targetPort: number) {
    this.server = net.createServer((client) => this.accept(client));
  }

  static async inFrontOf(targetPort: number): Promise<TcpProxy> {
    const proxy = new TcpProxy(targetPort);
    proxy.server.listen(0, '127.0.0.1');
    await once(proxy.server, 'listening');
    return proxy;
  }

  get port(): number {
    return (this.server.address() as net.AddressInfo).port;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  /** Decides, for each new connection, whether and when it is cut. */
  cutConnections(fateOf: () => Fate): void {
    this.fateOf = fateOf;
  }

  /** Decides, for each piece that passes, whether its connection is cut there. */
  cutPieces(cutAt: CutAt): void {
    this.cutAt = cutAt;
  }

  heal(): void {
    this.fateOf = () => undefined;
    this.cutAt = () => undefined;
    this.swallowing = false;
    this.refusing = false;
    this.weather = undefined;
    for (const link of this.links) {
      link.fate = undefined;
      link.swallows.clear();
      this.arrive(link);
    }
  }

  /** Cuts what is connected now. */
  cutNow(): void {
    for (const link of this.links) this.cut(link);
  }

  /**
   * From now on nothing passes in either direction, and nobody is told. What is sent meanwhile arrives once it heals, as
   * TCP would have it, on connections that are still open then.
   */
  swallow(): void {
    this.swallowing = true;
  }

  /** The connections of now are holes from here on, in this direction; new ones are not. */
  swallowExisting(direction: Direction): void {
    for (const link of this.links) link.swallows.add(direction);
  }

  /** Whatever passes is late. Nothing overtakes anything. */
  holdUp(weather: Weather): void {
    this.weather = weather;
  }

  /** Ends all connections, and each that is asked for, at once. */
  refuse(): void {
    this.refusing = true;
    this.cutNow();
  }

  async close(): Promise<void> {
    this.cutNow();
    this.server.close();
    await once(this.server, 'close');
  }

  private accept(client: net.Socket): void {
    this.asked += 1;
    if (this.refusing) return void client.resetAndDestroy();
    const target = net.connect(this.targetPort, '127.0.0.1');
    const link: Link = {
      ...{ client, target, fate: this.fateOf(), passed: { request: 0, reply: 0 } },
      ...{ swallows: new Set(), swallowed: [], ended: new Set() },
      late: { request: Promise.resolve(), reply: Promise.resolve() },
      held: { request: 0, reply: 0 },
    };
    this.links.add(link);
    client.on('data', (chunk) => this.pass(link, 'request', chunk));
    target.on('data', (chunk) => this.pass(link, 'reply', chunk));
    for (const socket of [client, target]) {
      // A peer that resets is what this is about: the other side is reset, too.
      socket.on('error', () => this.drop(link));
      socket.on('close', () => this.drop(link));
    }
  }

  private pass(link: Link, direction: Direction, chunk: Buffer): void {
    if (this.swallowing || link.swallows.has(direction))
      return void link.swallowed.push({ direction, chunk });
    // Also when the weather is fine again: what comes now must not overtake what is still held up.
    if (this.weather || link.held[direction] > 0)
      this.passLate(link, direction, chunk, this.weather ?? FINE);
    else this.passOn(link, direction, chunk);
  }

  private arrive(link: Link): void {
    for (const { direction, chunk } of link.swallowed.splice(0))
      this.passOn(link, direction, chunk);
  }

  private passLate(link: Link, direction: Direction, chunk: Buffer, weather: Weather): void {
    const { delayMs, pieceBytes = chunk.length } = weather;
    link.held[direction] += 1;
    link.late[direction] = link.late[direction].then(async () => {
      for (let at = 0; at < chunk.length && this.links.has(link); at += pieceBytes) {
        await new Promise((resolve) => setTimeout(resolve, delayMs()));
        this.passOn(link, direction, chunk.subarray(at, at + pieceBytes));
      }
      link.held[direction] -= 1;
    });
  }

  private passOn(link: Link, direction: Direction, chunk: Buffer): void {
    // The cut comes once what stands before it has left: nothing may come behind the gap.
    if (link.ended.has(direction)) return;
    const to = direction === 'request' ? link.target : link.client;
    const { fate, passed } = link;
    const cut = this.cutAt(direction, chunk, link);
    if (cut === 'mute') link.swallows.add('reply');
    if (cut === 'before') return this.cut(link);
    if (cut === 'after') return this.cutBehind(link, direction, chunk);
    const left = fate?.direction === direction ? fate.cutAfterBytes - passed[direction] : Infinity;
    passed[direction] += chunk.length;
    if (chunk.length < left) return void to.write(chunk);
    // What came before the cut still arrives: a server that got a whole request carries it out.
    this.cutBehind(link, direction, chunk.subarray(0, left));
  }

  private cutBehind(link: Link, direction: Direction, last: Buffer): void {
    link.ended.add(direction);
    const to = direction === 'request' ? link.target : link.client;
    to.write(last, () => this.cut(link));
  }

  private cut(link: Link): void {
    this.cuts += 1;
    this.drop(link);
  }

  private drop(link: Link): void {
    if (!this.links.delete(link)) return;
    link.client.resetAndDestroy();
    link.target.destroy();
  }
}

interface Link {
  client: net.Socket;
  target: net.Socket;
  fate: Fate;
  passed: Record<Direction, number>;
  swallows: Set<Direction>;
  swallowed: { direction: Direction; chunk: Buffer }[];
  /** What is held up, in order, and how many chunks that are. */
  late: Record<Direction, Promise<void>>;
  held: Record<Direction, number>;
  /** Directions in which nothing passes any more: it is about to be cut. */
  ended: Set<Direction>;
}
