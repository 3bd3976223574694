import type { Agenda } from '../core/store/agenda.js';
import { answer } from './errors.js';
import type { AgendaKeys } from './keys.js';
import type { ScriptHost } from './script.js';
import { scripts } from './scripts.js';

/** One sorted set for the whole namespace, or for those who can answer for halves. */
export class RedisAgenda implements Agenda {
  private readonly host: ScriptHost;
  private readonly keys: AgendaKeys;

  constructor(options: { host: ScriptHost; keys: AgendaKeys }) {
    this.host = options.host;
    this.keys = options.keys;
  }

  async note(work: string, at: number): Promise<void> {
    await scripts.noteWork.run(this.host, {
      keys: this.keys,
      args: { work, at: String(Math.floor(at)) },
    });
  }

  async take(options: {
    limit: number;
    leaseMs: number;
  }): Promise<{ now: number; taken: { work: string; version: string }[]; nextAt: number | null }> {
    const [now, next, ...pairs] = (await scripts.takeWork.run(this.host, {
      keys: this.keys,
      args: { limit: String(options.limit), leaseMs: String(options.leaseMs) },
    })) as [string, string, ...string[]];
    const taken: { work: string; version: string }[] = [];
    for (let i = 0; i < pairs.length; i += 2)
      taken.push({ work: pairs[i]!, version: pairs[i + 1]! });
    return { now: Number(now), taken, nextAt: next === '' ? null : Number(next) };
  }

  async finish(work: string, version: string, nextAt: number | null): Promise<void> {
    await scripts.finishWork.run(this.host, {
      keys: this.keys,
      args: { work, version, nextAt: nextAt === null ? '' : String(Math.floor(nextAt)) },
    });
  }

  async list(): Promise<string[]> {
    const { agenda } = this.keys;
    return answer({ operation: 'ZRANGE', key: agenda }, this.host.redis.zrange(agenda, '0', '-1'));
  }
}
