import { Command } from 'ioredis';
import { ScriptCommand } from '../../lib/redis/script-command.js';

const bytes = (length: number): Buffer => Buffer.alloc(length, 'rivulet ');

describe('A command of a script', () => {
  it.each<[string, (string | number | Buffer)[]]>([
    ['texts only', ['sha', 1, '{shop:orders:0}:log', '']],
    ['texts beyond ASCII', ['sha', 1, '{shop:größe:0}', '大', bytes(3)]],
    ['bytes at the end', ['sha', 0, bytes(5)]],
    ['bytes between texts', ['sha', 2, 'a', 'b', bytes(9), bytes(10), 'c', bytes(99), 'd']],
    ['no bytes', ['sha', 0, Buffer.alloc(0), Buffer.alloc(0), 'end']],
    ['lengths of every number of digits', [1, 10, 100, 1_000, 9_999, 10_000, 1_000_000].map(bytes)],
    ['bytes that are no text', ['sha', 0, Buffer.from([0x00, 0x0d, 0x0a, 0xff, 0xfe])]],
  ])('sends what ioredis sends: %s', (_what, args) => {
    const theirs = Buffer.from(new Command('evalsha', args).toWritable({}));

    const ours = Buffer.from(new ScriptCommand('evalsha', args).toWritable());

    expect(ours.equals(theirs)).toBe(true);
  });
});
