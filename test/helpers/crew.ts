import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { Shop, Transactor } from './shop.js';

/** Processes that are killed, and replaced as long as it goes on. */
export class Crew {
  readonly dead = new Set<string>();
  private readonly living = new Map<string, ChildProcess>();
  private launched = 0;

  constructor(
    private readonly shop: Shop,
    private readonly transactor: Transactor,
  ) {}

  async grow(): Promise<ChildProcess> {
    const name = `p${++this.launched}`;
    const child = await this.shop.launch({ lanes: 8, ...this.transactor, name });
    this.living.set(name, child);
    return child;
  }

  async killOne(random: () => number): Promise<void> {
    const names = [...this.living.keys()];
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
      [...this.living.values()].map(async (child) => {
        const gone = once(child, 'exit');
        child.kill('SIGTERM');
        await gone;
      }),
    );
  }
}
