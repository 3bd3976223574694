// The server everybody is measured on.
import { Redis } from 'ioredis';
import { setTimeout as sleep } from 'node:timers/promises';

export class Server {
  #redis = new Redis(process.env.REDIS_URL);

  /** Refuses a server that holds data: between sides everything is flushed. */
  async prepare() {
    if ((await this.#redis.dbsize()) > 0)
      throw new Error(
        'This Redis holds data and the benchmark flushes it between runs. Give it an empty one in REDIS_URL, or none.',
      );
    // Rewriting a large append-only file in the middle of a run would be measured as part of it.
    await this.#redis.config('SET', 'auto-aof-rewrite-percentage', '0');
    const { redis_version, valkey_version, aof_enabled } = await this.info();
    const name = valkey_version ? `Valkey ${valkey_version}` : `Redis ${redis_version}`;
    return `${name}, append-only file ${aof_enabled === '1' ? await this.#fsync() : 'off'}`;
  }

  /** Nothing of an earlier run is left: no key, no script, no long append-only file. */
  async clear() {
    await this.#redis.flushall('SYNC');
    await this.#redis.script('FLUSH');
    if ((await this.info()).aof_enabled !== '1') return;
    // Ten times a second is looked whether the rewrite is done: with each side of each round that would be ten seconds in all.
    const [, hz] = await this.#redis.config('GET', 'hz');
    await this.#redis.config('SET', 'hz', '100');
    await this.#redis.bgrewriteaof();
    while (await this.#isRewriting()) await sleep(5);
    await this.#redis.config('SET', 'hz', hz);
  }

  /** Bytes in use once nobody else is connected. */
  async usedMemory() {
    while (Number((await this.info()).connected_clients) > 1) await sleep(20);
    await sleep(200); // buffers of clients that left, and of the append-only file
    return Number((await this.info()).used_memory);
  }

  async info() {
    const lines = (await this.#redis.info()).split('\r\n').filter((line) => line.includes(':'));
    return Object.fromEntries(lines.map((line) => line.split(':', 2)));
  }

  close() {
    this.#redis.disconnect();
  }

  async #isRewriting() {
    const { aof_rewrite_in_progress, aof_rewrite_scheduled } = await this.info();
    return aof_rewrite_in_progress === '1' || aof_rewrite_scheduled === '1';
  }

  async #fsync() {
    const [, policy] = await this.#redis.config('GET', 'appendfsync');
    return policy;
  }
}
