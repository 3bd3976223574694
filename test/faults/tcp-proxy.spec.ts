import { once } from 'node:events';
import net from 'node:net';
import { TcpProxy } from '../helpers/tcp-proxy.js';

const MEGABYTE = 1024 * 1024;

/** What passes the proxy that breaks things is what was sent, in its order, as far as it comes: as TCP would have it. */
describe('the proxy of the fault tests', () => {
  let server: net.Server;
  let proxy: TcpProxy;

  /** A client, and the other end of its connection. */
  async function connected(): Promise<[client: net.Socket, peer: net.Socket]> {
    const client = net.connect(proxy.port, '127.0.0.1');
    client.on('error', () => {}); // a reset is what some tests are about
    const [peer] = (await once(server, 'connection')) as [net.Socket];
    peer.on('error', () => {});
    return [client, peer];
  }

  beforeEach(async () => {
    server = net.createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    proxy = await TcpProxy.inFrontOf((server.address() as net.AddressInfo).port);
  });
  afterEach(async () => {
    await proxy.close();
    server.close();
  });

  it('lets nothing overtake what is still held up when it heals', async () => {
    const [client, peer] = await connected();
    proxy.holdUp({ delayMs: () => 50, pieceBytes: 1 });
    peer.write('held up, ');
    let text = '';
    client.on('data', (bytes) => (text += bytes.toString()));
    await once(client, 'data');
    proxy.heal();
    peer.write('and behind it');
    while (text.length < 'held up, and behind it'.length) await once(client, 'data');
    expect(text).toBe('held up, and behind it');
  });

  it('lets nothing come behind the place where it cuts', async () => {
    proxy.cutConnections(() => ({ direction: 'reply', cutAfterBytes: 16 * MEGABYTE + 10_000 }));
    const [client, peer] = await connected();
    const sent = Buffer.alloc(32 * MEGABYTE);
    for (let at = 0; at < sent.length; at += 4) sent.writeUInt32BE(at, at);
    const parts: Buffer[] = [];
    client.on('data', (bytes) => parts.push(bytes)).pause();
    await new Promise((resolve) => peer.write(sent, resolve));
    // Until now what stands before the cut has piled up in the proxy.
    client.resume();
    await new Promise((resolve) => client.once('close', resolve));
    const came = Buffer.concat(parts);
    expect(came.length).toBeGreaterThan(0);
    expect(came.equals(sent.subarray(0, came.length))).toBe(true);
  });
});
