import { jest } from '@jest/globals';
import { ReplyDecoder } from '../../lib/redis/reply-decoder.js';

describe('replies', () => {
  /** What is told when the bytes arrive in these parts; `onOther` as the text it was given. */
  function told(...parts: string[]): unknown[] {
    const heard: unknown[] = [];
    const decoder = new ReplyDecoder({
      onReply: (reply) => heard.push(reply),
      onOther: (bytes) => heard.push({ other: bytes.toString('latin1') }),
    });
    for (const part of parts) decoder.write(Buffer.from(part, 'latin1'));
    return heard;
  }

  const each: readonly (readonly [name: string, wire: string, value: unknown])[] = [
    ['a blob', '$5\r\nab\r\nc\r\n', Buffer.from('ab\r\nc')],
    ['an empty blob', '$0\r\n\r\n', Buffer.alloc(0)],
    ['a text', '+OK\r\n', Buffer.from('OK')],
    ['a number', ':-42\r\n', -42],
    ['nothing, in each of its three forms', '*3\r\n$-1\r\n*-1\r\n_\r\n', [null, null, null]],
    ['an empty array', '*0\r\n', []],
    ['an array within others', '*2\r\n*1\r\n*1\r\n:1\r\n:2\r\n', [[[1]], 2]],
    ['a set', '~2\r\n:1\r\n:2\r\n', [1, 2]],
    ['a map as keys and values in turn', '%2\r\n+a\r\n:1\r\n+b\r\n*0\r\n', ['a', 1, 'b', []]],
    ['a double as its text', '*1\r\n,1.50\r\n', ['1.50']],
    ['what is true and what is not', '*2\r\n#t\r\n#f\r\n', [1, 0]],
    ['a big number as text', '*1\r\n(123456789012345678901\r\n', ['123456789012345678901']],
    ['a verbatim text without its format', '*1\r\n=8\r\ntxt:abcd\r\n', ['abcd']],
  ].map(([name, wire, value]) => [name as string, wire as string, value] as const);

  /** Buffers as text, to be compared with what is written above. */
  const readable = (value: unknown): unknown =>
    Buffer.isBuffer(value)
      ? value.toString('latin1')
      : Array.isArray(value)
        ? value.map(readable)
        : value;

  it.each(each)('tell %s, wherever its bytes are cut', (_, wire, value) => {
    for (let cut = 0; cut <= wire.length; cut++) {
      const heard = told(wire.slice(0, cut), wire.slice(cut));
      expect(heard.map(readable)).toEqual([readable(value)]);
    }
  });

  it('come in their order, byte by byte or all at once', () => {
    const all = each.map(([, wire]) => wire).join('');
    const values = each.map(([, , value]) => readable(value));
    expect(told(all).map(readable)).toEqual(values);
    expect(told(...all.split('')).map(readable)).toEqual(values);
  });

  it.each(['-ERR no\r\n', '!6\r\nERR no\r\n', ',1.5\r\n', '#t\r\n', '(1\r\n', '=5\r\ntxt:a\r\n'])(
    'of a kind that is rare are left to others as they came: %j',
    (wire) => {
      for (let cut = 0; cut <= wire.length; cut++)
        expect(told(`:1\r\n${wire.slice(0, cut)}`, `${wire.slice(cut)}:2\r\n`)).toEqual([
          1,
          { other: wire },
          2,
        ]);
    },
  );

  it('have errors as values within an array', () => {
    const [[one, first, second]] = told('*3\r\n:1\r\n-WRONGTYPE no\r\n!5\r\nERR x\r\n') as [
      [number, Error, Error],
    ];
    expect([one, first.name, first.message, second.message]).toEqual([
      1,
      'ReplyError',
      'WRONGTYPE no',
      'ERR x',
    ]);
  });

  it('are not mistaken for what the server says by itself', () => {
    expect(told(':1\r\n>2\r\n+invalidate\r\n*1\r\n:7\r\n:2\r\n')).toEqual([1, 2]);
  });

  it('are not looked at twice, however many parts they come in', () => {
    const blob = 'x'.repeat(100_000);
    const concat = jest.spyOn(Buffer, 'concat');
    const parts = `*2\r\n:1\r\n$${blob.length}\r\n${blob}\r\n`.match(/.{1,1000}/gs)!;
    const [[, bytes]] = told(...parts) as [[number, Buffer]];
    expect(bytes.toString()).toBe(blob);
    expect(concat).toHaveBeenCalledTimes(1);
    concat.mockRestore();
  });

  it('of no known type are left to others, too, or end it within an array', () => {
    expect(told('x\r\n')).toEqual([{ other: 'x\r\n' }]);
    expect(() => told('*1\r\nx\r\n')).toThrow('A reply begins with byte 120');
  });
});
