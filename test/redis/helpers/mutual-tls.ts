import { Authority } from './certificates.js';

/** Name of the socket by which the operator comes, in the folder of each server. */
export const SOCKET = 'operator.sock';

/** Servers of a fleet, and a client, that let in nobody but each other. Ends with `remove()`. */
export class MutualTls {
  private readonly authority = new Authority();
  /** What a client brings along. */
  readonly trusted: { ca: string; cert: string; key: string };
  private readonly certificates: readonly string[];

  constructor() {
    const { root } = this.authority;
    const node = this.authority.sign('127.0.0.1');
    const { cert, key } = this.authority.sign('client');
    this.trusted = { ca: root.cert, cert, key };
    this.certificates = [
      ...['--tls-cert-file', node.certFile, '--tls-key-file', node.keyFile],
      ...['--tls-ca-cert-file', root.certFile, '--tls-auth-clients', 'yes'],
    ];
  }

  /** Of a server with no port but this one, which speaks TLS to its replicas, too. */
  args(port: number): string[] {
    const ports = ['--port', '0', '--tls-port', String(port), '--tls-replication', 'yes'];
    return [...ports, ...this.certificates];
  }

  remove(): void {
    this.authority.remove();
  }
}
