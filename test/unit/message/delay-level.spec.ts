import { type DelayLevel, delayLevel, InvalidInputError } from 'nestjs-rivulet';

describe('delayLevel', () => {
  it('is one of the eighteen of RocketMQ, by number or by name', () => {
    expect([1, 2, 3, 18].map((level) => delayLevel(level))).toEqual([
      1_000, 5_000, 10_000, 7_200_000,
    ]);
    expect(delayLevel('10s')).toBe(delayLevel(3));
    expect(delayLevel('2h')).toBe(delayLevel(18));
  });

  it.each([0, 19, -1, 1.5, NaN, '11m' as DelayLevel, 'toString' as DelayLevel])(
    'refuses %s, rather than taking it for another',
    (level) => {
      expect(() => delayLevel(level)).toThrow(InvalidInputError);
      expect(() => delayLevel(level)).toThrow(/from 1 to 18 or one of 1s, 5s, .* 2h, got/);
    },
  );
});
