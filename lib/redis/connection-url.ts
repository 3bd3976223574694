import type { RedisOptions } from 'ioredis';
import { describeValue } from '../core/message/options.js';

/** The URL is taken apart here: ioredis would let its query overrule the options that keep messages safe. */
export function readUrl(
  text: string,
): { problems: string[] } | { problems: string[]; options: RedisOptions } {
  if (text.startsWith('/')) return { problems: [], options: { path: text } };
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    return { problems: ['connection is no URL; it should look like redis://localhost:6379'] };
  }
  if (url.protocol !== 'redis:' && url.protocol !== 'rediss:')
    return {
      problems: [
        `connection must begin with redis:// or rediss://, got: ${describeValue(url.protocol)}`,
      ],
    };
  const problems = [...url.searchParams.keys()]
    .filter((name) => name !== 'family')
    .map(
      (name) =>
        `connection: the URL parameter "${name}" is not supported; pass ioredis options instead`,
    );
  const options: RedisOptions = { host: url.hostname.replace(/^\[|\]$/g, '') || 'localhost' };
  if (url.port) options.port = Number(url.port);
  try {
    if (url.username) options.username = decodeURIComponent(url.username);
    if (url.password) options.password = decodeURIComponent(url.password);
  } catch {
    problems.push('connection: username and password must be percent-encoded in a URL');
  }
  if (url.pathname.length > 1) options.db = Number(url.pathname.slice(1));
  if (url.searchParams.has('family')) options.family = Number(url.searchParams.get('family'));
  if (url.protocol === 'rediss:') options.tls = {};
  return { problems, options };
}

/** Where these options lead, for people: no password. */
export function describeTarget(options: RedisOptions): string {
  if (options.sentinels) {
    const hosts = options.sentinels.map(
      ({ host, port }) => `${host ?? 'localhost'}:${port ?? 26379}`,
    );
    return `master "${options.name}" of the sentinels ${hosts.join(', ')}`;
  }
  if (options.path) return options.path;
  const user = options.username || options.password ? `${options.username ?? ''}:***@` : '';
  const db = options.db ? `/${options.db}` : '';
  const { host: name = 'localhost' } = options;
  const host = name.includes(':') ? `[${name}]` : name;
  return `${options.tls ? 'rediss' : 'redis'}://${user}${host}:${options.port ?? 6379}${db}`;
}
