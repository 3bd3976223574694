import { once } from 'node:events';
import net from 'node:net';

/** What happens to a connection: nothing, or a cut after so many bytes in one direction. */
type Fate = { cutAfterBytes: number; direction: 'request' | 'reply' } | undefined;

/**
 * Stands between a client and Redis and breaks what passes: cuts connections within a request or a reply, swallows
 * everything without a word, or refuses to connect.
 */
export class TcpProxy {
  cuts = 0;
  private readonly server: net.Server;
  private readonly links = new Set<Link>();
  private fateOf: () => Fate = () => undefined;
  private swallowing = false;

  private constructor(private readonly targetPort: number) {
    this.server = net.createServer((client) => this.accept(client));
  }

  static async inFrontOf(targetPort: number): Promise<TcpProxy> {
    const proxy = new TcpProxy(targetPort);
    proxy.server.listen(0, '127.0.0.1');
    await once(proxy.server, 'listening');
    return proxy;
  }

  get url(): string {
    return `redis://127.0.0.1:${(this.server.address() as net.AddressInfo).port}`;
  }

  /** Decides, for each new connection, whether and when it is cut. */
  cutConnections(fateOf: () => Fate): void {
    this.fateOf = fateOf;
  }

  heal(): void {
    this.fateOf = () => undefined;
    this.swallowing = false;
    for (const link of this.links) link.fate = undefined;
  }

  /** Cuts what is connected now. */
  cutNow(): void {
    for (const link of this.links) this.cut(link);
  }

  /** From now on nothing passes in either direction, and nobody is told. */
  swallow(): void {
    this.swallowing = true;
  }

  async close(): Promise<void> {
    this.cutNow();
    this.server.close();
    await once(this.server, 'close');
  }

  private accept(client: net.Socket): void {
    const target = net.connect(this.targetPort, '127.0.0.1');
    const link: Link = { client, target, fate: this.fateOf(), passed: { request: 0, reply: 0 } };
    this.links.add(link);
    client.on('data', (chunk) => this.pass(link, 'request', chunk));
    target.on('data', (chunk) => this.pass(link, 'reply', chunk));
    for (const socket of [client, target]) {
      // A peer that resets is what this is about: the other side is reset, too.
      socket.on('error', () => this.drop(link));
      socket.on('close', () => this.drop(link));
    }
  }

  private pass(link: Link, direction: 'request' | 'reply', chunk: Buffer): void {
    if (this.swallowing) return;
    const to = direction === 'request' ? link.target : link.client;
    const { fate, passed } = link;
    const left = fate?.direction === direction ? fate.cutAfterBytes - passed[direction] : Infinity;
    passed[direction] += chunk.length;
    if (chunk.length < left) return void to.write(chunk);
    // What came before the cut still arrives: a server that got a whole request carries it out.
    to.write(chunk.subarray(0, left), () => this.cut(link));
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
  passed: { request: number; reply: number };
}
