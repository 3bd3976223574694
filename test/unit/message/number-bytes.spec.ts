import { writeDigits, writeShortNumber } from '../../../lib/core/message/number-bytes.js';

describe('The bytes of a number', () => {
  const target = Buffer.alloc(40, '#');
  const textTo = (end: number): string => target.toString('latin1', 3, end);
  /** `undefined`: left to others. */
  const written = (value: number): string | undefined => {
    const end = writeShortNumber(value, target, 3);
    return end === 3 ? undefined : textTo(end);
  };

  it.each([0, 1, 9, 10, 99, 100, 1_234_567_890, 2 ** 31 - 1])('are its digits: %d', (value) => {
    expect(textTo(writeDigits(value, target, 3))).toBe(String(value));
  });

  it.each([
    ...[0.1, 0.5, 0.05, 0.001, 0.999, 1.005, 4.35, 19.9, 129.99, 1_138.9, 100.01, 10.1, 1e-3],
    ...[
      2_147_483_647.999,
      2_147_483_646.5,
      2 ** 31,
      2 ** 31 + 1,
      2 ** 32,
      1e9,
      1e10,
      999_999_999_999,
    ],
    ...[1_764_280_000_123, 10_000_000_001, Number.MAX_SAFE_INTEGER, 3_000_000_000],
  ])('are those that JSON has, with either sign: %d', (value) => {
    expect(written(value)).toBe(JSON.stringify(value));
    expect(written(-value)).toBe(JSON.stringify(-value));
  });

  it.each([
    ...[0.1 + 0.2, 1 / 3, 1e-4, 0.0005, 5e-324, 0.1234, 19.900000000000002, 2 ** 31 + 0.5],
    ...[2 ** 53, 1e21, 1e300, 0.001 - 1e-18, 129.999 - 1e-13, 2 ** 31 - 1e-6],
  ])('are left to others: %d', (value) => {
    expect(written(value)).toBeUndefined();
    expect(written(-value)).toBeUndefined();
  });

  it('are those that JSON has for every thousandth, and never those of a neighbour', () => {
    const wrong: number[] = [];
    const step = new Float64Array(1);
    const bits = new BigInt64Array(step.buffer);
    const check = (value: number): void => {
      const text = written(value);
      if (text !== undefined && text !== JSON.stringify(value)) wrong.push(value);
    };
    for (let i = 1; i < 20_000; i++) {
      const size = Math.floor(Math.random() * 10 ** (1 + (i % 13)));
      const value = size / 1_000;
      if (size > 0 && value < 2 ** 31 && written(value) !== JSON.stringify(value))
        wrong.push(value);
      for (const by of [-1n, 1n]) {
        step[0] = value;
        if (size > 0) bits[0]! += by;
        check(step[0]);
        check(step[0] * 1_000);
      }
    }
    expect(wrong).toEqual([]);
  });
});
