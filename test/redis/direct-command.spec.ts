import { Command } from 'ioredis';
import { DirectCommand } from '../../lib/redis/direct-command.js';

const bytes = (length: number): Buffer => Buffer.alloc(length, 'rivulet ');

const directCommand = (args: (string | Buffer)[]): DirectCommand =>
  new DirectCommand('evalsha', args, { replyEncoding: 'utf8' });

describe('A command of a script', () => {
  it.each<[string, (string | Buffer)[]]>([
    ['texts only', ['sha', '1', '{shop:orders:0}:log', '']],
    ['texts beyond ASCII', ['sha', '1', '{shop:größe:0}', '大', bytes(3)]],
    ['bytes at the end', ['sha', '0', bytes(5)]],
    ['bytes between texts', ['sha', '2', 'a', 'b', bytes(9), bytes(10), 'c', bytes(99), 'd']],
    ['no bytes', ['sha', '0', Buffer.alloc(0), Buffer.alloc(0), 'end']],
    ['lengths of every number of digits', [1, 10, 100, 1_000, 9_999, 10_000, 1_000_000].map(bytes)],
    ['bytes that are no text', ['sha', '0', Buffer.from([0x00, 0x0d, 0x0a, 0xff, 0xfe])]],
  ])('sends what ioredis sends: %s', (_what, args) => {
    const theirs = Buffer.from(new Command('evalsha', [...args]).toWritable({}));

    const ours = Buffer.from(directCommand(args).toWritable());

    expect(ours.equals(theirs)).toBe(true);
  });

  it('has all that ioredis gives to one that it made itself', () => {
    const theirs = new Command('evalsha', ['sha', '0'], { replyEncoding: 'utf8' });
    const ours = directCommand(['sha', '0']);
    ours.setReplyContext(undefined);

    // Each of these is undefined, or spent, in a command that was made of text and bytes and has no callback.
    const needless = ['replyEncoding', 'errorStack', 'callback', 'transformed', 'bufferMode'];
    const wanted = Object.keys(theirs).filter((field) => !needless.includes(field));
    expect(Object.keys(ours)).toEqual(expect.arrayContaining(wanted));
    expect(ours).toBeInstanceOf(Command);
    expect(ours.getKeys()).toEqual([]);
  });

  it('answers text, in arrays, too, and leaves what is no bytes', async () => {
    const command = directCommand(['sha', '0']);
    command.resolve([Buffer.from('größe'), [Buffer.from('b'), null, 3]]);
    expect(await command.promise).toEqual(['größe', ['b', null, 3]]);
    expect(command).toMatchObject({ isResolved: true, isSettled: true });
  });

  it('knows the key by which a cluster sends it', () => {
    const command = directCommand(['sha', '1', '{shop:orders:0}:log', 'argument']);
    expect(command.getKeys()).toEqual(['{shop:orders:0}:log']);
    expect(command.getSlot()).toBe(new Command('get', ['{shop:orders:0}:log']).getSlot());
  });
});
