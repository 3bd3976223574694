import type { Redis, RedisOptions } from 'ioredis';
import { InvalidOptionsError } from '../core/message/errors.js';
import { describeValue } from '../core/message/options.js';
import { type ConnectionRole, optionProblems, profile } from './connection-profile.js';

/**
 * Makes a client of its own for each call, with these options or stricter ones. The library closes it.
 */
export type RedisFactory = (role: ConnectionRole, options: RedisOptions) => Redis;

/**
 * The clients of a factory, each checked once it is made: the library trusts none of its options.
 *
 * @throws InvalidOptionsError when it is no client, one that was made before, or one that would lose messages.
 */
export function clientsOf(
  factory: RedisFactory,
  context: { namespace: string; blockMs: number },
): (role: ConnectionRole) => Redis {
  const made = new WeakSet<Redis>();
  return (role) => {
    const client = factory(role, profile(role, {}, context));
    const foreign = clientProblem(client);
    if (foreign) throw new InvalidOptionsError('RedisStores', [foreign]);
    if (made.has(client))
      throw new InvalidOptionsError('RedisStores', [
        'the connection factory returned the same client twice; each call must make a new one',
      ]);
    made.add(client);
    const found = factoryProblems(client.options, role === 'blocking' ? context.blockMs : 0);
    if (found.length === 0) return client;
    client.on('error', () => {});
    client.disconnect();
    throw new InvalidOptionsError(`RedisStores, connection factory (${role})`, found);
  };
}

/** Not `instanceof`: the application may have another copy of ioredis than the library finds. */
function clientProblem(made: unknown): string | undefined {
  const client = made as Partial<Redis> | null | undefined;
  if (typeof (made as { then?: unknown } | null)?.then === 'function')
    return 'the connection factory must make its client at once, got: a promise. What it waits for belongs into forRootAsync';
  if (client?.isCluster)
    return 'the connection factory must make a client of one server; a cluster is { cluster: ["host:port"] }';
  return client?.options && typeof client.disconnect === 'function'
    ? undefined
    : `the connection factory must make a client of ioredis, got: ${describeValue(made)}`;
}

function factoryProblems(options: RedisOptions, blockMs: number): string[] {
  const problems = optionProblems(options, blockMs);
  if (options.socketTimeout === undefined)
    problems.push('socketTimeout is missing: a dead connection would never be noticed');
  if (problems.length > 0)
    problems.push('pass the options the factory is given as second argument to new Redis()');
  return problems;
}
