import type { PermitCall, PermitReply, PermitStore } from '../core/store/permit-store.js';
import type { Keys } from './keys.js';
import type { ScriptHost } from './script.js';
import { scripts } from './scripts.js';

const MOST_PER_CALL = 200;

export class RedisPermitStore implements PermitStore {
  private readonly host: ScriptHost;
  private readonly keys: Keys;

  constructor(options: { host: ScriptHost; keys: Keys }) {
    this.host = options.host;
    this.keys = options.keys;
  }

  async take(of: { topic: string; group: string }, call: PermitCall): Promise<PermitReply[]> {
    const { asks } = call;
    const calls: Promise<PermitReply[]>[] = [];
    for (let from = 0; from < asks.length; from += MOST_PER_CALL)
      calls.push(this.run(of, { ...call, asks: asks.slice(from, from + MOST_PER_CALL) }));
    return (await Promise.all(calls)).flat();
  }

  private async run(
    of: { topic: string; group: string },
    { member, max, leaseMs, patienceMs, asks }: PermitCall,
  ): Promise<PermitReply[]> {
    const numbers = (await scripts.takePermits.run(this.host, {
      keys: {},
      moreKeys: asks.map(({ key }) => this.keys.permits(of, key)),
      args: {
        member,
        max: String(max),
        leaseMs: String(leaseMs),
        patienceMs: String(patienceMs),
        asks: asks.map(({ held, want }) => `${held} ${want} `).join(''),
      },
    })) as string[];
    return asks.map((_, i) => ({
      granted: Number(numbers[2 * i]),
      contested: numbers[2 * i + 1] !== '0',
    }));
  }
}
