import { RpcException } from '@nestjs/microservices';
import { silentLogger } from '../../lib/core/runtime/logger.js';
import { FailingFilters } from '../../lib/nest/failing-filters.js';
import { ManualClock } from '../../lib/testing/manual-clock.js';

describe('FailingFilters', () => {
  const clock = new ManualClock();
  let told: string[];
  let failing: FailingFilters;
  beforeEach(() => {
    told = [];
    const logger = { ...silentLogger, warn: (line: string) => void told.push(line) };
    failing = new FailingFilters({ logger, clock });
  });
  const given = new Error('out of stock');

  it.each([new TypeError('no response'), new ReferenceError('res is not defined')])(
    'let the error that was given count when a filter fails with %p',
    (thrown) => {
      expect(failing.judge(thrown, given)).toBe(given);
      expect(told).toEqual([expect.stringContaining('counts: Error: out of stock.')]);
    },
  );

  it('say so once a minute for each text, whatever error was given', async () => {
    const fail = (text: string) => failing.judge(new TypeError(text), given);
    for (const text of ['a', 'a', 'b']) fail(text);
    expect(told).toHaveLength(2);
    await clock.advance(60_000);
    fail('a');
    expect(told).toHaveLength(3);
  });

  const inner = new TypeError('fetch failed');
  it.each<[string, Error, unknown]>([
    ['another error', new RangeError('replaced'), given],
    ['the error itself', inner, inner],
    ['its cause', inner, new Error('no price', { cause: inner })],
    ['what an RpcException carries', inner, new RpcException(inner)],
    ['an error in place of nothing', new RangeError('replaced'), undefined],
  ])('believe a filter that throws %s', (_what, thrown, from) => {
    expect(failing.judge(thrown, from)).toBe(thrown);
    expect(told).toEqual([]);
  });
});
