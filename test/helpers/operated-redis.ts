import { Redis } from 'ioredis';
import type { Rivulet } from '../../lib/core/rivulet.js';
import type { RivuletSettingsInput } from '../../lib/core/settings.js';
import { startRedis, type TestRedis } from './redis.js';
import { connect } from './workload.js';

export interface OperatedRedis {
  readonly url: string;
  /** Does to the server what an operator, or another program, may do to it. */
  readonly operator: Redis;
  /** A process of an application, which is stopped when the test ends. */
  connect(namespace: string, settings?: RivuletSettingsInput): Rivulet;
}

/** A private server for the tests of a file. */
export function useOperatedRedis(): OperatedRedis {
  let redis: TestRedis;
  let operator: Redis;
  const started: Rivulet[] = [];
  beforeAll(async () => {
    redis = await startRedis();
    operator = new Redis(redis.url);
  });
  afterEach(async () => {
    await Promise.all(started.splice(0).map((one) => one.stop(2_000)));
  });
  afterAll(async () => {
    operator.disconnect();
    await redis.stop();
  });
  return {
    get url() {
      return redis.url;
    },
    get operator() {
      return operator;
    },
    connect(namespace, settings) {
      const rivulet = connect(redis.url, namespace, settings);
      started.push(rivulet);
      return rivulet;
    },
  };
}
