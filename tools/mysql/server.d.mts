import type { RunningRedis } from '../with-redis.mjs';

export interface MysqlBinary {
  home: string;
  /** What runs the server, before its own arguments. */
  command: string[];
  share: string;
  bin: string;
  /** For people: `MySQL 9.7.4`. */
  version: string;
}

/** From this machine or, on Debian, from its unstable suite; or undefined. */
export function findMysql(): MysqlBinary | undefined;

/** A private server; it ends with this process, even after kill -9. */
export function startMysql(
  binary: MysqlBinary,
  options?: { args?: string[] },
): Promise<RunningRedis>;

/** What to tell a person whose machine has none. */
export const HOW_TO_INSTALL_MYSQL: string;
