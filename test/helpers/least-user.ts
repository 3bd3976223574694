// With RIVULET_ACL=1 (`npm run test:acl`): every server a test starts knows a user with the rights of docs/redis.acl, and
// the library connects as that user. What the test itself asks of Redis, and what programs in processes of their own ask, is
// asked as the default user.
import { Redis } from 'ioredis';
import { leastRights, refusals } from '../redis/helpers/acl.js';

const NAME = 'least';
const PASSWORD = 'secret';

export const isLeast = process.env['RIVULET_ACL'] === '1';

/** What docs/redis-acl.md says to add where it is needed; tests need it. */
const ADDED = ['+select', '+config|get'];

/** Arguments that make the user. */
export function leastUser(): string[] {
  return isLeast ? ['--user', NAME, 'on', `>${PASSWORD}`, ...leastRights('*'), ...ADDED] : [];
}

/** @throws when the server refused the library anything. */
export async function expectNoRefusals(url: string): Promise<void> {
  const redis = new Redis(url, { retryStrategy: () => null, maxRetriesPerRequest: 0 });
  redis.on('error', () => {});
  // A server that was killed, or wants a password, cannot be asked.
  const refused = await refusals(redis).catch(() => []);
  redis.disconnect();
  const ofLibrary = refused.filter((line) => line.startsWith(`${NAME}:`));
  if (ofLibrary.length > 0) throw new Error(`Redis refused: ${ofLibrary.join('; ')}`);
}

let isPatched = false;

/** Safe to repeat. The clients of the library are those with its name; one that has a user already keeps it. */
export function connectAsLeastUser(): void {
  if (isPatched) return;
  isPatched = true;
  const { connect } = Redis.prototype;
  Redis.prototype.connect = function (this: Redis, ...args) {
    const { options } = this;
    if (options.connectionName?.startsWith('rivulet:') && !options.username && !options.password)
      Object.assign(options, { username: NAME, password: PASSWORD });
    return connect.apply(this, args);
  };
}
