import { StoreRefusedError } from '../core/message/errors.js';
import { NO_DISK_ACKS } from '../core/store/message-log.js';
import type { Connection } from './connection.js';
import { answer, refusalReason, storeError } from './errors.js';
import { parseInfo } from './server-check.js';
import { serverName } from './server-health.js';

/** `with-each-reply`: appendfsync always, a reply means disk. `wait`: WAITAOF tells. */
export type DiskAcks = 'with-each-reply' | 'wait';

/** With appendfsync everysec one of two fsyncs in a row comes later than this. */
const TOO_SOON_MS = 50;
const WRITES = 5;
const WAIT_MS = 3_000;
const KEY_LIFE_MS = 60_000;
/** appendfsync can be changed while the server runs; what it was then is believed for so long. */
const BELIEVED_MS = 10_000;

/**
 * Whether a server can tell what is on its disk. Asked once per connection.
 *
 * Some servers answer WAITAOF before the fsync (redis/redis#13793; Valkey 8.0 and 9.1 do): what they confirm is lost in
 * a power cut. So the promise is tried out: with an fsync a second, five writes in a row cannot all be on disk at once.
 */
export class DiskProbe {
  private readonly key: string;
  private readonly mayAskConfig: () => boolean;
  private known: { era: number; until: number; verdict: Promise<DiskAcks> } | undefined;

  constructor(options: { key: string; mayAskConfig(): boolean }) {
    this.key = options.key;
    this.mayAskConfig = () => options.mayAskConfig();
  }

  /** @throws StoreRefusedError with reason `NO_DISK_ACKS` and what to do about it. */
  async ask(connection: Connection): Promise<DiskAcks> {
    const { era } = connection;
    const now = performance.now();
    if (this.known?.era !== era || now >= this.known.until)
      this.known = { era, until: Infinity, verdict: this.judge(connection) };
    const { known } = this;
    try {
      const verdict = await known.verdict;
      if (verdict === 'with-each-reply' && known.until === Infinity)
        known.until = now + BELIEVED_MS;
      return verdict;
    } catch (error) {
      known.until = now + BELIEVED_MS;
      throw error;
    }
  }

  private async judge({ redis }: Connection): Promise<DiskAcks> {
    const info = parseInfo(await answer({ operation: 'INFO' }, redis.info()));
    const [, fsync] = this.mayAskConfig()
      ? ((await redis.config('GET', 'appendfsync').catch(() => [])) as string[])
      : [];
    const said = diskAcksBySettings({ info, appendfsync: fsync });
    if (said === 'with-each-reply') return said;
    const server = serverName(info);
    for (let i = 0; i < WRITES; i++) {
      const tookMs = await this.timeOne(redis, server);
      if (tookMs >= TOO_SOON_MS) return 'wait';
    }
    throw refused(
      `${server} answers WAITAOF before the data is on its disk` +
        (fsync === undefined
          ? ', or it has appendfsync always and its user may not CONFIG GET that'
          : '') +
        ". Set appendfsync always (the user needs '+config|get'), or use acks: { replicas }",
    );
  }

  /** How long a write takes until the server says that it is on disk. */
  private async timeOne(redis: Connection['redis'], server: string): Promise<number> {
    const start = performance.now();
    await answer({ operation: 'SET', key: this.key }, redis.set(this.key, '', 'PX', KEY_LIFE_MS));
    const [onDisk] = (await redis.call('WAITAOF', 1, 0, WAIT_MS).catch((error: unknown) => {
      const reason = refusalReason(error);
      if (reason === 'NOPERM') throw mayNotWait();
      if (reason === 'UNKNOWN_COMMAND') throw hasNoWait(server);
      throw storeError(error, { operation: 'WAITAOF' });
    })) as [number];
    if (onDisk === 0) throw refused(`${server} did not write to its disk within ${WAIT_MS} ms`);
    return performance.now() - start;
  }
}

/**
 * What INFO and CONFIG alone tell. `wait`: WAITAOF is there, and is to be tried out.
 *
 * @param server.appendfsync undefined where the user may not ask.
 * @throws as `ask`.
 */
export function diskAcksBySettings({
  info,
  appendfsync,
}: {
  info: Readonly<Record<string, string>>;
  appendfsync: string | undefined;
}): DiskAcks {
  const server = serverName(info);
  if (info['aof_enabled'] !== '1')
    throw refused(`${server} keeps no append-only file. Set appendonly yes`);
  if (appendfsync === 'always') return 'with-each-reply';
  if (appendfsync === 'no')
    throw refused(`${server} has appendfsync no, and never knows. Set everysec or always`);
  // Valkey says which Redis it is compatible with: 7.2, which has it.
  const [major, minor] = (info['redis_version'] ?? '0.0').split('.').map(Number);
  if (major! < 7 || (major === 7 && minor! < 2)) throw hasNoWait(server);
  return 'wait';
}

export function mayNotWait(): StoreRefusedError {
  return refused('the user may not run WAITAOF; add it to its ACL');
}

function hasNoWait(server: string): StoreRefusedError {
  return refused(
    `${server} has no WAITAOF, which came with Redis 7.2. Update it, or set appendfsync always (the user needs '+config|get')`,
  );
}

function refused(why: string): StoreRefusedError {
  return new StoreRefusedError(`acks: "disk" cannot be had here: ${why}`, { reason: NO_DISK_ACKS });
}
