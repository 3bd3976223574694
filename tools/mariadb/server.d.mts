import type { RunningRedis } from '../with-redis.mjs';

export interface MariadbBinary {
  home: string;
  bin: string;
  share: string;
  env: Record<string, string>;
  /** For people: `MariaDB 10.11.19`. */
  version: string;
}

/** From this machine or its package manager, or undefined. */
export function findMariadb(): MariadbBinary | undefined;

/** A private server; it ends with this process, even after kill -9. */
export function startMariadb(
  binary: MariadbBinary,
  options?: { args?: string[] },
): Promise<RunningRedis>;

/** What to tell a person whose machine has none. */
export const HOW_TO_INSTALL_MARIADB: string;
