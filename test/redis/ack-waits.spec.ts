import { jest } from '@jest/globals';
import { AckWaits } from '../../lib/redis/ack-waits.js';
import type { Connection } from '../../lib/redis/connection.js';
import { DiskProbe } from '../../lib/redis/disk-probe.js';

/** A server that answers WAITAOF so, one after the other; `before`: what happens until then. */
function answering(onDisk: readonly number[], before: () => void = () => {}) {
  const asked: unknown[] = [];
  const redis = {
    call: async (...command: unknown[]) => {
      before();
      asked.push(command[0]);
      return [onDisk[asked.length - 1] ?? 1];
    },
    info: () => Promise.resolve('aof_enabled:1\r\nredis_version:7.2.4\r\n'),
    config: () => Promise.resolve(['appendfsync', 'everysec']),
    set: () => Promise.resolve('OK'),
  };
  return { connection: { redis, era: 1 } as unknown as Connection, asked };
}

it('a disk that has not confirmed it yet is asked again, and not believed', async () => {
  const { connection, asked } = answering([0, 0, 1]);
  const waits = new AckWaits({ connection, touchKey: 'probe' });
  const wanted = { disk: true, replicas: 0 };
  const until = performance.now() + 600_000;
  const about = { wanted: { ...wanted, timeoutMs: 600_000 }, until, era: 1, touch: false };
  expect(await waits.reached(about)).toEqual({ disk: true, replicas: 0 });
  expect(asked).toHaveLength(3);
});

describe('a server that has WAITAOF', () => {
  const probe = (): DiskProbe => new DiskProbe({ key: 'probe', mayAskConfig: () => true });
  beforeEach(() => {
    jest.useFakeTimers({
      doNotFake: [
        ...(['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] as const),
        ...(['setImmediate', 'clearImmediate', 'nextTick', 'queueMicrotask'] as const),
        ...(['Date', 'hrtime'] as const),
      ],
    });
  });
  afterEach(() => void jest.useRealTimers());

  it('is refused when five writes in a row were on its disk at once', async () => {
    const { connection, asked } = answering([]);
    const refused = probe().ask(connection);
    await expect(refused).rejects.toThrow('answers WAITAOF before the data is on its disk');
    await expect(refused).rejects.toMatchObject({ reason: 'NO_DISK_ACKS' });
    expect(asked).toHaveLength(5);
  });

  it('is believed as soon as one of them took as long as an fsync', async () => {
    let writes = 0;
    const { connection, asked } = answering([], () => {
      writes += 1;
      if (writes === 3) jest.advanceTimersByTime(50);
    });
    expect(await probe().ask(connection)).toBe('wait');
    expect(asked).toHaveLength(3);
  });
});
