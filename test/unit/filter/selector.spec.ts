import { compileSelector, SelectorSyntaxError } from 'nestjs-rivulet';

const MESSAGE = {
  amount: 120,
  rate: 0.5,
  zero: 0,
  region: 'eu',
  empty: '',
  code: '12_34',
  express: true,
  quiet: false,
  'order-type': 'new',
  'a.b': 1,
  between: 1,
  contains: 'x',
};

function truth(expression: string): boolean | null {
  return compileSelector(expression)(MESSAGE);
}

/** Expression and its answer for the message above. */
type Case = [expression: string, answer: boolean | null];

describe('a selector', () => {
  it.each<Case>([
    ['amount = 120', true],
    ['amount <> 120', false],
    ['amount > 100', true],
    ['amount >= 120', true],
    ['amount < 120', false],
    ['amount <= 119.5', false],
    ["region = 'eu'", true],
    ["region <> 'eu'", false],
    ['express = TRUE', true],
    ['express <> true', false],
    ['amount=120.0', true],
    ['rate = 5E-1', true],
    ['rate = .5', true],
    ['amount = 120L', true],
    ['amount = 0x78', true],
    ['amount = 0170', true],
    ['amount > -1', true],
    ['TRUE', true],
    ['express', true],
    ['NOT quiet', true],
  ])('compares: %s is %s', (expression, answer) => expect(truth(expression)).toBe(answer));

  it.each<Case>([
    ['region = 5', false],
    ['region <> 5', false],
    ["amount = 'a'", false],
    ['amount = TRUE', false],
    ["NOT (amount = 'a')", true],
    ['region > 5', false],
    ['region < amount', false],
    ["amount IN ('120')", false],
    ["amount NOT IN ('120')", false],
    ["amount LIKE '1%'", false],
    ["amount NOT LIKE 'x'", false],
    ["amount CONTAINS '1'", false],
  ])('says no to a comparison of unlike types: %s is %s', (expression, answer) =>
    expect(truth(expression)).toBe(answer),
  );

  it.each<Case>([
    ['missing = 1', null],
    ['missing <> 1', null],
    ['missing = missing', null],
    ['NOT (missing = 1)', null],
    ['missing + 1 > 0', null],
    ['missing BETWEEN 1 AND 2', null],
    ["missing IN ('a')", null],
    ["missing NOT IN ('a')", null],
    ["missing LIKE '%'", null],
    ["missing NOT LIKE '%'", null],
    ["missing STARTSWITH 'a'", null],
    ['missing IS NULL', true],
    ['missing IS NOT NULL', false],
    ['empty IS NULL', false],
    ['missing', null],
    ['region', null],
    ['NOT region', null],
    ['missing = 1 AND FALSE', false],
    ['FALSE AND missing = 1', false],
    ['missing = 1 AND TRUE', null],
    ['missing = 1 OR TRUE', true],
    ['missing = 1 OR FALSE', null],
    ['toString IS NULL', true],
    ['amount / zero > 1', null],
    ['zero / zero = 1', null],
    ['amount * 1e308 > 0', null],
    ['region + 1 = 1', null],
    ['-express = 1', null],
  ])('knows what it does not know: %s is %s', (expression, answer) =>
    expect(truth(expression)).toBe(answer),
  );

  it.each<Case>([
    ['amount BETWEEN 100 AND 120', true],
    ['amount NOT BETWEEN 100 AND 120', false],
    ['amount BETWEEN 121 AND 119', false],
    ['amount NOT BETWEEN 121 AND 119', true],
    ['amount * rate BETWEEN 59 + 1 AND 60', true],
    ["region IN ('us', 'eu')", true],
    ["region NOT IN ('us')", true],
    ["region IN ('EU')", false],
    ["code LIKE '12%'", true],
    ["code LIKE '12_34'", true],
    ["code LIKE '12\\_34' ESCAPE '\\'", true],
    ["region LIKE '_'", false],
    ["region LIKE 'e_'", true],
    ["region NOT LIKE '%u'", false],
    ["empty LIKE ''", true],
    ["empty LIKE '%'", true],
    ["code CONTAINS '_3'", true],
    ["code startswith '12'", true],
    ["code NOT ENDSWITH '34'", false],
  ])('tests: %s is %s', (expression, answer) => expect(truth(expression)).toBe(answer));

  it.each<Case>([
    ['1 + 2 * 3 = 7', true],
    ['(1 + 2) * 3 = 9', true],
    ['10 - 2 - 3 = 5', true],
    ['7 / 2 = 3.5', true],
    ['- - amount = 120', true],
    ['2 - -2 = 4', true],
    ['NOT amount = 1', true],
    ['TRUE OR FALSE AND FALSE', true],
    ['NOT FALSE AND FALSE', false],
    ['not not express', true],
    ['(amount > 100) = TRUE', true],
    ["amount > 100 and (region = 'us' or region = 'eu')", true],
  ])('binds as strongly as it should: %s is %s', (expression, answer) =>
    expect(truth(expression)).toBe(answer),
  );

  it.each<Case>([
    ['Amount = 120', null],
    ["`order-type` = 'new'", true],
    ['a.b = 1', true],
    ['`between` = 1', true],
    ["contains = 'x'", true],
    ["contains CONTAINS 'x'", true],
  ])('finds the property: %s is %s', (expression, answer) =>
    expect(truth(expression)).toBe(answer),
  );

  it('reads quotes within text', () => {
    expect(compileSelector("name = 'O''Brien'")({ name: "O'Brien" })).toBe(true);
  });

  it.each<[expression: string, position: number, problem: RegExp]>([
    ['', 0, /expected a property, a value or \(, got the end/],
    ['amount = 1 garbage', 11, /expected AND, OR or the end, got garbage/],
    ["a LIKE 'x%' 'y'", 12, /got 'y'/],
    ['a = 1 = 1', 6, /cannot be compared further/],
    ['a = NULL', 2, /write IS NULL/],
    ['NULL = a', 0, /after IS or IS NOT only/],
    ['a == 1', 3, /expected a property/],
    ['a != 1', 2, /write <>/],
    ['a = "x"', 4, /single quotes/],
    ['a = 1 && b = 2', 6, /write AND/],
    ["a = 'x", 4, /not closed/],
    ["a > 'x'", 4, /expected a number here, got a text/],
    ['TRUE > 1', 0, /expected a number here, got a boolean/],
    ["1 = 'a'", 2, /number is never equal to text/],
    ["'a' + 1 = 2", 0, /expected a number/],
    ["'x'", 0, /expected a condition here, got a text/],
    ['1', 0, /expected a condition here, got a number/],
    ['NOT 1', 4, /expected a condition/],
    ['a AND 1', 6, /expected a condition/],
    ['1 OR a', 0, /expected a condition/],
    ['a IN ()', 6, /text in quotes in the list of IN/],
    ['a IN (1)', 6, /text in quotes/],
    ["a IN ('x'", 9, /or a comma/],
    ["1 IN ('x')", 0, /name of a property/],
    ["'a' LIKE 'x'", 0, /name of a property/],
    ['a LIKE b', 7, /a pattern in quotes/],
    ["a LIKE 'x' ESCAPE ''", 18, /exactly one character/],
    ["a LIKE 'x\\y' ESCAPE '\\'", 7, /must be followed by/],
    ["a CONTAINS ''", 11, /say what it is to look for/],
    ['a NOT = 1', 6, /after NOT/],
    ['a BETWEEN 1 OR 2', 12, /expected AND between/],
    ["a BETWEEN 'x' AND 'y'", 10, /expected a number/],
    ['(a = 1', 6, /expected \) for the \( at character 1/],
    ['a = 1)', 5, /got \)/],
    ['a IS 1', 5, /expected NULL/],
    ['1a = 1', 1, /cannot begin with a digit/],
    ['a = 9007199254740993', 4, /not exact/],
    ['a = 1e999', 4, /too large/],
    ['a = 019', 4, /octal/],
    ['a % 2 = 1', 2, /no remainder/],
    ['a = 1; DROP', 5, /means nothing here/],
    ['constructor = 1', 0, /property names/],
    ['`a b` = 1', 0, /property names/],
    [`${'('.repeat(65)}a${')'.repeat(65)}`, 65, /deeper than 64/],
    [`${'NOT '.repeat(65)}a`, 260, /deeper than 64/],
    [`a = '${'x'.repeat(1_100)}'`, 1_024, /1024 are allowed/],
  ])('%s is refused with its place', (expression, position, problem) => {
    let refused: unknown;
    try {
      compileSelector(expression);
    } catch (error) {
      refused = error;
    }
    expect(refused).toBeInstanceOf(SelectorSyntaxError);
    expect((refused as Error).message).toMatch(problem);
    expect(refused).toMatchObject({ position });
  });

  it('is limited in length, to 16 384 characters at most', () => {
    const long = `a = '${'x'.repeat(10_000)}'`;
    expect(compileSelector(long, { maxLength: 16_384 })({ a: 'x' })).toBe(false);
    expect(() => compileSelector(long, { maxLength: 20_000 })).toThrow(/from 1 to 16384/);
    const many = `a IN (${Array.from({ length: 257 }, () => "'x'").join()})`;
    expect(() => compileSelector(many, { maxLength: 16_384 })).toThrow(/256 at most/);
  });

  it('evaluates the longest chain', () => {
    const sum = Array.from({ length: 8_000 }, () => '1').join('+');
    expect(compileSelector(`${sum} = 8000`, { maxLength: 16_384 })({})).toBe(true);
  });

  it('looks at own properties only', () => {
    const inherited = Object.create({ a: 1 }) as Record<string, number>;
    expect(compileSelector('a = 1')(inherited)).toBe(null);
  });
});
