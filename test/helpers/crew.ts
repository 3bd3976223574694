import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { Shop, Transactor } from './shop.js';

/** Processes that are killed, and replaced as long as it goes on. */
export class Crew {
  readonly dead = new Set<string>();
  /** Those that ended by themselves although they were ready. */
  readonly fallen: string[] = [];
  private readonly living = new Map<string, ChildProcess>();
  private launched = 0;

  constructor(
    private readonly shop: Shop,
    private readonly transactor: Transactor,
  ) {}

  async grow(): Promise<ChildProcess> {
    const name = `p${++this.launched}`;
    const child = await this.shop.launch({ lanes: 8, ...this.transactor, name });
    // A database that is not there ends a process that starts: the next one may find it.
    if (hasEnded(child)) return this.grow();
    this.living.set(name, child);
    child.once('exit', () => this.living.delete(name) && this.fallen.push(name));
    return child;
  }

  async killOne(random: () => number): Promise<void> {
    const names = [...this.living.keys()];
    if (names.length === 0) return;
    const name = names[Math.floor(random() * names.length)]!;
    const victim = this.living.get(name)!;
    this.living.delete(name);
    this.dead.add(name);
    const gone = once(victim, 'exit');
    victim.kill('SIGKILL');
    await gone;
  }

  async stop(): Promise<void> {
    await Promise.all(
      [...this.living].map(async ([name, child]) => {
        this.living.delete(name);
        const gone = once(child, 'exit');
        child.kill('SIGTERM');
        await gone;
      }),
    );
  }
}

function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}
