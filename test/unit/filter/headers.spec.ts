import { headers, InvalidOptionsError, type PropertyValue } from 'nestjs-rivulet';

function matches(filter: ReturnType<typeof headers>, properties: Record<string, PropertyValue>) {
  return filter.matches({ tag: undefined, key: undefined, properties });
}

describe('a header match', () => {
  it('wants all of them by default', () => {
    const filter = headers({ region: 'eu', amount: 5 });
    expect(matches(filter, { region: 'eu', amount: 5, more: true })).toBe(true);
    expect(matches(filter, { region: 'eu' })).toBe(false);
  });

  it('wants any of them when told so', () => {
    const filter = headers({ region: 'eu', express: true }, 'any');
    expect(matches(filter, { region: 'us', express: true })).toBe(true);
    expect(matches(filter, { region: 'us' })).toBe(false);
  });

  it('compares with the type, and takes any value for null', () => {
    expect(matches(headers({ amount: 5 }), { amount: '5' })).toBe(false);
    expect(matches(headers({ amount: null }), { amount: '5' })).toBe(true);
    expect(matches(headers({ amount: null }), {})).toBe(false);
    expect(matches(headers({ toString: null }), {})).toBe(false);
  });

  it('names every problem', () => {
    const wrong = { 'a b': 1, ok: NaN } as Record<string, number>;
    expect(() => headers(wrong, 'some' as 'any')).toThrow(InvalidOptionsError);
    expect(() => headers(wrong, 'some' as 'any')).toThrow(
      /the match must be "all" or "any", got: "some"; property names.*; ok must be text/,
    );
    expect(() => headers({})).toThrow(/names no property/);
  });

  it('has one digest however it is written', () => {
    expect(headers({ a: 1, b: 'x' }).digest).toBe(headers({ b: 'x', a: 1 }).digest);
    expect(headers({ a: 1 }).digest).not.toBe(headers({ a: '1' }).digest);
    expect(headers({ a: 1 }).digest).not.toBe(headers({ a: 1 }, 'any').digest);
  });
});
