import type { RateLimit, RateLimitStore, TokenReply } from '../core/store/rate-limit-store.js';
import type { Keys } from './keys.js';
import type { ScriptHost } from './script.js';
import { scripts } from './scripts.js';

export class RedisRateLimitStore implements RateLimitStore {
  private readonly host: ScriptHost;
  private readonly keys: Keys;

  constructor(options: { host: ScriptHost; keys: Keys }) {
    this.host = options.host;
    this.keys = options.keys;
  }

  async take(
    of: { topic: string; group: string },
    { want, limit }: { want: number; limit: RateLimit },
  ): Promise<TokenReply> {
    const [granted, left, waitMs] = (await scripts.takeTokens.run(this.host, {
      keys: { rate: this.keys.rate(of) },
      args: { want: String(want), max: String(limit.max), perMs: String(limit.perMs) },
    })) as [string, string, string];
    return { granted: Number(granted), left: Number(left), waitMs: Number(waitMs) };
  }
}
