import { jest } from '@jest/globals';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Rivulet } from '../../lib/core/rivulet.js';
import { aclRule, NEEDED_COMMANDS, OPTIONAL_COMMANDS } from '../../lib/redis/commands.js';
import { RedisStores } from '../../lib/redis/redis-stores.js';
import { asUser, leastRights, refusals } from './helpers/acl.js';
import { ownServer } from './helpers/own-server.js';

const LIB = 'lib/redis';
const ACL_FILE = 'docs/redis.acl';

describe('the Redis user of an application', () => {
  const own = ownServer();

  it('is documented in docs/redis.acl, which RIVULET_WRITE_ACL=1 writes', () => {
    const text = `user shop on >CHANGE-ME ${leastRights('shop').join(' ')}\n`;
    if (process.env['RIVULET_WRITE_ACL']) writeFileSync(ACL_FILE, text);
    expect(readFileSync(ACL_FILE, 'utf8')).toBe(text);
  });

  it('is allowed what the sources ask for, and nothing else', async () => {
    const existing = new Set((await own.redis.command('LIST')) as string[]);
    const exists = (command: string): boolean => existing.has(command.split(' ')[0]!.toLowerCase());
    const asked = [...askedByLua(), ...askedByTypeScript()].filter(exists);
    const allowed = [...NEEDED_COMMANDS, ...OPTIONAL_COMMANDS].filter(exists);
    expect([...new Set(asked)].toSorted()).toEqual(allowed.toSorted());
  });

  it.each(NEEDED_COMMANDS.map((command) => [command]))(
    'without %s is refused at the start, by its name',
    async (command) => {
      const without = leastRights('shop').filter((rule) => rule !== aclRule(command));
      const url = await asUser(own.url, 'poor', without);
      const warn = jest.spyOn(console, 'warn').mockImplementation(() => {});
      const stores = new RedisStores({ connection: url, namespace: 'shop' });
      await expect(stores.open(20_000)).rejects.toMatchObject({
        reason: 'NOPERM',
        message: expect.stringMatching(new RegExp(`'?${command.replace(' ', '[ |]')}'?`, 'i')),
      });
      await stores.close();
      const onTheConsole = warn.mock.calls;
      warn.mockRestore();
      expect(onTheConsole).toEqual([]);
    },
  );

  it('is refused at the start in another namespace than its own', async () => {
    const url = await asUser(own.url, 'shop', leastRights('shop'));
    const stores = new RedisStores({ connection: url, namespace: 'shop2' });
    await expect(stores.open(20_000)).rejects.toMatchObject({ reason: 'NOPERM' });
    await stores.close();
  });

  it('publishes, consumes, retries, delays, decides and cleans up, and nothing is refused', async () => {
    await own.redis.acl('LOG', 'RESET');
    const url = await asUser(own.url, 'shop', leastRights('shop'));
    const stores = new RedisStores({ connection: url, namespace: 'shop' });
    const application = new Rivulet({ stores });
    await application.open();
    const handled = new Map<string, number>();
    let noteAll = (): void => {};
    const all = new Promise<void>((resolve) => (noteAll = resolve));
    const subscribe = (group: string, options: object): void =>
      void application.subscribe({
        topic: 'orders',
        group,
        origin: 'test',
        retry: { maxAttempts: 2, backoff: { fromMs: 1, jitter: 0 } },
        handler: ({ attempt }) => {
          if (attempt === 1) throw new Error('again');
          handled.set(group, (handled.get(group) ?? 0) + 1);
          if ([...handled.values()].reduce((sum, n) => sum + n, 0) === 9) noteAll();
        },
        ...options,
      });
    subscribe('unordered', {});
    subscribe('ordered', { ordered: true });
    subscribe('idempotent', { idempotent: true });
    await application.consume();
    const { producer } = application;
    await producer.send('orders', 1, { messageGroup: 'g', dedupId: 'd' });
    await producer.send('orders', 2, { messageGroup: 'g', delayMs: 1 });
    await producer.send('orders', 3, { acks: { replicas: 1, timeoutMs: 1 } }).catch(() => {});
    await all;
    expect(await application.stores.health()).toMatchObject({ durability: 'snapshots' });
    await application.stop(5_000);
    expect(await refusals(own.redis)).toEqual([]);
  });
});

function sources(folder: string, ending: string): string[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith(ending))
    .map((name) =>
      readFileSync(join(folder, name), 'utf8').replace(/^\s*(--|\/\/|\*|\/\*).*$/gm, ''),
    );
}

/** Every word in capitals and quotes; the server knows which of them are commands. */
function askedByLua(): string[] {
  return sources(join(LIB, 'lua'), '.lua').flatMap((text) =>
    [...text.matchAll(/'([A-Z]+)'(?:, '([A-Z]+)')?/g)].map(([, command, next]) =>
      command === 'XGROUP' || command === 'XINFO' ? `${command} ${next}` : command!,
    ),
  );
}

/** `redis.hget(…)`, `redis.client('ID')`, `redis.callBuffer('xread', …)`, and what scripts are run with. */
function askedByTypeScript(): string[] {
  const found = sources(LIB, '.ts').flatMap((text) =>
    [...text.matchAll(/(?:\.([a-z]+?)(?:Buffer)?|new DirectCommand)\(\s*(?:'(\w+)')?/g)].map(
      ([, method = 'call', first]) => {
        if (method === 'call') return first?.toUpperCase() ?? '';
        const takesSubcommand = ['client', 'cluster', 'config', 'xgroup', 'xinfo'].includes(
          method!,
        );
        return `${method}${takesSubcommand && first ? ` ${first}` : ''}`.toUpperCase();
      },
    ),
  );
  return [...found.filter((name) => !COMMON_WORDS.has(name)), 'EVAL', 'EVALSHA', 'EXEC'];
}

/** Methods of other things that are called like a command of Redis. */
const COMMON_WORDS = new Set([
  'GET',
  'SET',
  'KEYS',
  'SORT',
  'TYPE',
  'EXEC',
  'APPEND',
  'MOVE',
  'WATCH',
  'CLIENT',
  'COPY',
]);
