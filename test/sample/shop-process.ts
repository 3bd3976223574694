import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';
import { createInterface } from 'node:readline';

/** The shop as a newcomer starts it: with `npm start`, and no Redis of its own. */
export class ShopProcess {
  readonly lines: string[] = [];
  private readonly child: ChildProcess;
  private readonly waiting = new Set<() => void>();
  private ended = false;

  constructor() {
    const { REDIS_URL: _url, PORT: _port, ...env } = process.env;
    // A group of its own, so that whatever it starts can be found, and ended, with it.
    this.child = spawn('npm', ['start'], {
      env,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [this.child.stdout!, this.child.stderr!])
      createInterface({ input: stream }).on('line', (line) => this.hear(line));
    this.child.once('close', () => {
      this.ended = true;
      this.tell();
    });
  }

  /** The first line that matches, said already or not yet. */
  async line(pattern: RegExp): Promise<string> {
    const find = (): string | undefined => this.lines.find((line) => pattern.test(line));
    await this.until(() => find() !== undefined, `a line like ${pattern}`);
    return find()!;
  }

  /** Looks again with each line. Rejects with all of them when the shop ends before. */
  async until(isSo: () => boolean, what: string): Promise<void> {
    while (!isSo()) {
      if (this.ended) throw new Error(`The shop ended before ${what}:\n${this.lines.join('\n')}`);
      await new Promise<void>((resolve) => this.waiting.add(resolve));
    }
  }

  /** Resolves with the exit code. */
  async stop(signal: NodeJS.Signals): Promise<number | null> {
    if (this.ended) return this.child.exitCode;
    this.child.kill(signal);
    await once(this.child, 'close');
    return this.child.exitCode;
  }

  /** Whether any process it started is there. */
  get isAnyoneLeft(): boolean {
    try {
      return process.kill(-this.child.pid!, 0);
    } catch {
      return false;
    }
  }

  /** For a test that failed half-way. */
  kill(): void {
    if (this.isAnyoneLeft) process.kill(-this.child.pid!, 'SIGKILL');
  }

  private hear(line: string): void {
    this.lines.push(line);
    this.tell();
  }

  private tell(): void {
    const waiting = [...this.waiting];
    this.waiting.clear();
    for (const resolve of waiting) resolve();
  }
}

export async function isListening(url: string): Promise<boolean> {
  const { hostname, port } = new URL(url);
  const socket = net.connect(Number(port), hostname);
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
