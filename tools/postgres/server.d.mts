import type { RunningRedis } from '../with-redis.mjs';

export interface PostgresBinary {
  /** Folder of `postgres` and `initdb`. */
  bin: string;
  env: Record<string, string>;
  /** For people: `PostgreSQL 15.18`. */
  version: string;
}

/** From this machine or its package manager, or undefined. */
export function findPostgres(): PostgresBinary | undefined;

/** A private server of one database named `postgres`; it ends with this process, even after kill -9. */
export function startPostgres(
  binary: PostgresBinary,
  options?: { args?: string[] },
): Promise<RunningRedis>;

/** What to tell a person whose machine has none. */
export const HOW_TO_INSTALL_POSTGRES: string;
