import { Command } from 'ioredis';
import { DirectCommand } from '../../lib/redis/direct-command.js';

const bytes = (length: number): Buffer => Buffer.alloc(length, 'rivulet ');

const directCommand = (args: (string | Buffer)[]): DirectCommand =>
  new DirectCommand('evalsha', args, { replyEncoding: 'utf8' });

describe('A command that is sent as it is', () => {
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

  it('tells of its reply at once instead of answering it, and fails when whoever is told throws', async () => {
    const told: unknown[] = [];
    const options = { replyEncoding: null, onReply: (reply: unknown) => void told.push(reply) };
    const command = new DirectCommand('xread', ['STREAMS', 'log', '0'], options);
    command.resolve([[Buffer.from('log'), []]]);
    expect(told).toEqual([[[Buffer.from('log'), []]]]);
    expect(await command.promise).toBeNull();

    const onReply = (): void => {
      throw new Error('no room');
    };
    const failing = new DirectCommand('xread', [], { replyEncoding: null, onReply });
    failing.resolve(null);
    await expect(failing.promise).rejects.toThrow('no room');
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
