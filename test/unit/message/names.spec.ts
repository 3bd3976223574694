import {
  groupProblem,
  namespaceProblem,
  propertyNameProblem,
  textProblem,
  topicProblem,
} from '../../../lib/core/message/names.js';

const NOT_TEXT: [unknown][] = [[''], [undefined], [null], [7], [{}], [['a']]];
const BREAKS_KEYS: [unknown][] = [
  [' '],
  ['a b'],
  ['a\r\nb'],
  ['a\u0000b'],
  ['{a}'],
  ['a*'],
  ['a?'],
  ['[a]'],
  ['\u043e\u0440der'],
  ['__proto__'],
  ['constructor'],
  ['prototype'],
];

describe('names', () => {
  it.each([['orders'], ['a'], ['A-z_0.9%'], ['x'.repeat(127)], ['%RETRY%billing']])(
    'a topic may be called %p',
    (name) => expect(topicProblem(name)).toBeUndefined(),
  );

  it.each<[unknown]>([...NOT_TEXT, ...BREAKS_KEYS, ['a:b'], ['a/b'], ['x'.repeat(128)]])(
    'a topic may not be called %p',
    (name) => expect(topicProblem(name)).toMatch(/^topic must be 1 to 127 characters.*got: /),
  );

  it.each([['billing'], ['a:b/c@d'], ['x'.repeat(120)], ['stream']])(
    'a group may be called %p',
    (name) => expect(groupProblem(name)).toBeUndefined(),
  );

  it.each<[unknown]>([...NOT_TEXT, ...BREAKS_KEYS, ['x'.repeat(121)], ['~waiting']])(
    'a group may not be called %p',
    (name) => expect(groupProblem(name)).toMatch(/^group must be 1 to 120/),
  );

  it.each([['STREAMS'], ['block'], ['Count'], ['NOACK'], ['group']])(
    'a group may not be called like the Redis word %p',
    (name) => expect(groupProblem(name)).toMatch(/must not be the Redis word/),
  );

  it.each<[unknown]>([...NOT_TEXT, ...BREAKS_KEYS.slice(0, -3), ['a:b'], ['x'.repeat(65)]])(
    'a namespace may not be %p',
    (name) => expect(namespaceProblem(name)).toMatch(/^namespace must be/),
  );

  it.each([['order-1'], ['ünïcode 😀'], ['{x}*?'], ['x'.repeat(255)], ['__proto__']])(
    'a key may be %p',
    (key) => expect(textProblem('key', key)).toBeUndefined(),
  );

  it.each<[unknown]>([...NOT_TEXT, ['a\nb'], ['\u007f'], ['x'.repeat(256)]])(
    'a key may not be %p',
    (key) => expect(textProblem('key', key)).toMatch(/^key must be text of 1 to 255 characters/),
  );

  it.each([['\ud800'], ['a\udc00b'], ['\udc00\ud800']])(
    'half a character is refused, since two message groups would become one: %p',
    (text) => expect(textProblem('messageGroup', text)).toMatch(/half a character/),
  );

  it.each([['a|b'], ['*'], [' a'], ['a '], ['||']])(
    'a tag may not be %p, which means something in an expression',
    (tag) => expect(textProblem('tag', tag)).toMatch(/tag must not contain/),
  );

  it.each([['amount'], ['_x'], ['$y'], ['a.b-c9']])('a property may be called %p', (name) =>
    expect(propertyNameProblem(name)).toBeUndefined(),
  );

  it.each([[''], ['9a'], ['a b'], ['__proto__'], ['x'.repeat(129)], ['a\n']])(
    'a property may not be called %p',
    (name) => expect(propertyNameProblem(name)).toMatch(/property names must begin/),
  );

  it('shows a bad name shortened', () => {
    expect(topicProblem('x y'.repeat(1_000))!.length).toBeLessThan(200);
  });
});
