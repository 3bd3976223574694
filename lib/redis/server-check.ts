import { StoreRefusedError } from '../core/message/errors.js';
import { aclRule } from './commands.js';

const OLDEST = 7;

/** The reply of INFO as fields. */
export function parseInfo(text: string): Readonly<Record<string, string>> {
  const lines = text.split('\r\n').filter((line) => line.includes(':'));
  return Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)]),
  );
}

/**
 * Why this server cannot be used, or undefined. `info` is its INFO, `missing` the commands its user may not run. `isNode`: a
 * cluster was given, which is followed wherever its primaries go; one that has just become a replica is no reason.
 */
export function serverProblem(
  server: {
    target: string;
    info: Readonly<Record<string, string>>;
    missing: readonly string[];
    isNode: boolean;
  },
  options: { allowEviction: boolean },
): StoreRefusedError | undefined {
  const { target, info, missing, isNode } = server;
  const version = info['redis_version'] ?? 'unknown';
  if (!(Number.parseInt(version, 10) >= OLDEST))
    return new StoreRefusedError(
      `${target} is Redis ${version}; version ${OLDEST}.0 or newer is needed (Valkey 8 or newer). Update the server`,
      { reason: 'TOO_OLD' },
    );
  if (info['role'] === 'slave' && !isNode)
    return new StoreRefusedError(
      `${target} is a replica: nothing can be stored there. Connect to its master, or through Sentinel`,
      { reason: 'READONLY' },
    );
  const policy = info['maxmemory_policy'];
  if (policy !== undefined && policy !== 'noeviction' && !options.allowEviction)
    return new StoreRefusedError(
      `${target} has maxmemory-policy ${policy}: when memory is short it deletes messages without an error. ` +
        'Set maxmemory-policy noeviction, or accept the loss with allowEviction: true',
      { reason: 'EVICTION' },
    );
  if (missing.length > 0)
    return new StoreRefusedError(
      `The Redis user at ${target} may not run ${missing.join(', ')}. Add to its ACL: ${missing.map(aclRule).join(' ')}; or the server has it by another name (rename-command)`,
      { reason: 'NOPERM' },
    );
  return undefined;
}
