import { compileTags, FilterSyntaxError } from 'nestjs-rivulet';

describe('a tag expression', () => {
  it.each<[expression: string, tag: string | undefined, isWanted: boolean]>([
    ['a', 'a', true],
    ['a', 'A', false],
    ['a', undefined, false],
    ['a || b', 'b', true],
    ['a||b', 'a', true],
    [' a || b\n', 'b', true],
    [' a || b ', 'c', false],
    ['*', 'a', true],
    [' * ', undefined, true],
    ['with space || b', 'with space', true],
    ['Aa', 'BB', false],
  ])('%s with tag %s: %s', (expression, tag, isWanted) => {
    expect(compileTags(expression)(tag)).toBe(isWanted);
  });

  it.each<[expression: string, position: number, problem: RegExp]>([
    ['', 0, /a tag is missing/],
    ['a ||', 4, /a tag is missing/],
    ['|| a', 0, /a tag is missing/],
    ['a || *', 5, /stands alone/],
    ['x || a && b', 5, /never two; use "\|\|", or selector\(\)/],
    ['a | b', 0, /must not contain "\|"/],
  ])('%j is refused with its place', (expression, position, problem) => {
    expect(() => compileTags(expression)).toThrow(FilterSyntaxError);
    expect(() => compileTags(expression)).toThrow(problem);
    expect(() => compileTags(expression)).toThrow(expect.objectContaining({ position }));
  });
});
