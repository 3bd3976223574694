import { Redis } from 'ioredis';
import { aclRule, NEEDED_COMMANDS } from '../../../lib/redis/commands.js';

/** Beside what is needed: the name of the connection, and ending a waiting read at once. */
const CONNECTION_COMMANDS = ['CLIENT ID', 'CLIENT SETNAME', 'CLIENT UNBLOCK'];

/** All that a user of the library needs, for `ACL SETUSER` and an ACL file. */
export function leastRights(namespace: string): string[] {
  return [
    ...['resetchannels', namespace === '*' ? '~*' : `~{${namespace}:*`, '-@all'],
    ...[...CONNECTION_COMMANDS, ...NEEDED_COMMANDS].map(aclRule),
  ];
}

/** Makes a user with these rights, and answers the URL to connect with. */
export async function asUser(url: string, name: string, rights: string[]): Promise<string> {
  const redis = new Redis(url);
  await redis.acl('SETUSER', name, 'reset', 'on', `>secret`, ...rights);
  redis.disconnect();
  return url.replace('//', `//${name}:secret@`);
}

/** What Redis refused to anybody: one line each. */
export async function refusals(redis: Redis): Promise<string[]> {
  const log = (await redis.acl('LOG')) as unknown as string[][];
  return log.map((entry) => {
    const fact = (name: string): string => String(entry[entry.indexOf(name) + 1]);
    return `${fact('username')}: ${fact('reason')} ${fact('object')} (${fact('context')})`;
  });
}
