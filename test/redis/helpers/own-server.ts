import { Redis } from 'ioredis';
import { startRedis, type TestRedis } from '../../helpers/redis.js';

/** A server that the tests of a file have for themselves. */
export interface OwnServer {
  readonly server: TestRedis;
  readonly url: string;
  /** For what is done behind the library's back. */
  readonly redis: Redis;
}

/** To be called where tests are declared: it is there before the first and ends after the last of them. */
export function ownServer(): OwnServer {
  let server: TestRedis;
  let redis: Redis;
  beforeAll(async () => {
    server = await startRedis();
    redis = new Redis(server.url);
  });
  afterAll(async () => {
    redis.disconnect();
    await server.stop();
  });
  return {
    get server() {
      return server;
    },
    get url() {
      return server.url;
    },
    get redis() {
      return redis;
    },
  };
}
