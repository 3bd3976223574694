import { selector, tags } from '../../../lib/core/filter/message-filter.js';

/** What members of a group are compared by. */
describe('the digest of a filter', () => {
  it('is the same for the same tags in another order, and for a condition with other spaces', () => {
    expect(tags('paid || created').digest).toBe(tags('created||paid').digest);
    expect(tags('paid').digest).not.toBe(tags('created').digest);
    expect(selector('a  >  1').digest).toBe(selector('a > 1').digest);
  });

  it('is of bounded length, and another one wherever long filters differ', () => {
    const many = Array.from({ length: 300 }, (_, i) => `tag-${i}`);
    const long = tags(many.join(' || ')).digest;
    expect(long.length).toBeLessThanOrEqual(200);
    for (const other of [many.slice(1), many.slice(0, -1), [...many, 'zzz']])
      expect(tags(other.join(' || ')).digest).not.toBe(long);
    const condition = (last: string): string =>
      [...many.slice(0, 30).map((name) => `a = '${name}'`), `a = '${last}'`].join(' OR ');
    expect(selector(condition('x')).digest).toBe(selector(condition('x')).digest);
    expect(selector(condition('x')).digest).not.toBe(selector(condition('y')).digest);
  });
});
