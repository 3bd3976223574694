// The user of docs/redis.acl, as arguments of a server.
import { readFileSync } from 'node:fs';

export const NAME = 'least';
export const PASSWORD = 'secret';

const FILE = new URL('../../../docs/redis.acl', import.meta.url);

/** What docs/redis-acl.md says to add where it is needed; tests need it. */
const ADDED = [
  '+select',
  '+config|get',
  '+cluster|slots',
  '+cluster|info',
  '+readonly',
  '+readwrite',
  '+asking',
];

/** Tests have many namespaces: the pattern of one becomes that of all. */
export function leastUser() {
  const [, , , , ...rights] = readFileSync(FILE, 'utf8').trim().split(' ');
  const own = rights.map((rule) => (rule.startsWith('~') ? '~{*' : rule));
  return ['--user', NAME, 'on', `>${PASSWORD}`, ...own, ...ADDED];
}
