export interface RedisBinary {
  bin: string;
  env: Record<string, string>;
  /** For people: `Redis 7.0.15`. */
  version: string;
}

export interface RedisOptions {
  /** Default `none`. */
  persistence?: 'none' | 'aof-everysec' | 'aof-always';
  /** More server arguments, or what makes them of its port; they win over ours: `['--maxmemory', '10mb', '--requirepass', 'x']`. */
  args?: string[] | ((port: number) => string[]);
  /** Variables of the server beside our own. */
  env?: Record<string, string>;
  /** Name of a socket in its folder, on which it is there for us although its port is not: in a network of its own. */
  socket?: string;
  /** The beginning of a command that becomes the server at its end, as `nsenter` does: asked once, before the first start. */
  through?(place: { port: number; dir: string }): string[] | Promise<string[]>;
}

export interface RunningRedis {
  /** `redis://127.0.0.1:port`; it names no password, even when `args` set one. */
  url: string;
  port: number;
  /** The server's folder: its append-only file and `log`. Removed by `stop()` and when this process ends. */
  dir: string;
  /** Of the server itself; `restart()` changes it. */
  pid: number;
  /**
   * Default `SIGKILL`. Resolves when the server has exited if the signal ends it, at once otherwise (`SIGSTOP`,
   * `SIGCONT`).
   */
  kill(signal?: NodeJS.Signals): Promise<void>;
  /**
   * Start it again on the same port and folder. A running server is first asked to end (SIGTERM, which flushes the
   * append-only file); after `kill()` this is a start after a crash.
   */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/** A Redis 7 (Valkey 8) or later from this machine or its package manager, or undefined. */
export function findRedis(): RedisBinary | undefined;

/** Start a private server: 127.0.0.1, own port and folder. It ends with this process, even after kill -9. */
export function startRedis(binary: RedisBinary, options?: RedisOptions): Promise<RunningRedis>;

/** What to tell a person whose machine has none. */
export const HOW_TO_INSTALL: string;
