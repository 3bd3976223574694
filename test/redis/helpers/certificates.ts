import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

interface Pair {
  /** Paths, for Redis. */
  readonly keyFile: string;
  readonly certFile: string;
  readonly key: string;
  readonly cert: string;
}

/** A certificate authority of our own, made with openssl, and what it signs. Ends with `remove()`. */
export class Authority {
  private readonly folder = mkdtempSync(join(tmpdir(), 'rivulet-tls-'));
  private made = 0;
  readonly root: Pair;

  constructor() {
    this.root = this.pair('/CN=Test CA', ['-x509', '-days', '2']);
  }

  /** For `name`; expired unless `days` is positive. */
  sign(name: string, days = 2): Pair {
    const request = this.pair(`/CN=${name}`, []);
    const extensions = join(this.folder, `${this.made}.ext`);
    execFileSync('sh', ['-c', `echo "subjectAltName=${altName(name)}" > ${extensions}`]);
    const { certFile: csr, keyFile, key } = request;
    const certFile = `${csr}.signed`;
    // A negative number of days: it ended before it began to be looked at.
    openssl(
      ['x509', '-req', '-in', csr, '-CA', this.root.certFile, '-CAkey', this.root.keyFile].concat([
        '-set_serial',
        String(this.made),
        '-days',
        String(days),
        '-extfile',
        extensions,
        '-out',
        certFile,
      ]),
    );
    return { keyFile, key, certFile, cert: readFileSync(certFile, 'utf8') };
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  private pair(subject: string, more: string[]): Pair {
    const file = join(this.folder, String(++this.made));
    const [keyFile, certFile] = [`${file}.key`, `${file}.crt`];
    const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
    openssl([
      'req',
      '-new',
      ...curve,
      '-subj',
      subject,
      '-keyout',
      keyFile,
      '-out',
      certFile,
      ...more,
    ]);
    return {
      keyFile,
      certFile,
      key: readFileSync(keyFile, 'utf8'),
      cert: readFileSync(certFile, 'utf8'),
    };
  }
}

function altName(name: string): string {
  return /^[\d.]+$/.test(name) ? `IP:${name}` : `DNS:${name}`;
}

function openssl(args: string[]): void {
  execFileSync('openssl', args, { stdio: 'pipe' });
}
