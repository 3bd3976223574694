import { readPage } from './pages.js';

export interface DocumentedKey {
  pattern: RegExp;
  type: string;
}

const HEADING = /^## .*: `(.+)`$/;
const ROW = /^\| `…(:.+?)` \| (\w+) \|/;

/** The keys of docs/redis-keys.md: what stands in angle brackets there may be anything without a colon. */
export function documentedKeys(): DocumentedKey[] {
  let prefix = '';
  return readPage('docs/redis-keys.md')
    .split('\n')
    .flatMap((line) => {
      prefix = HEADING.exec(line)?.[1] ?? prefix;
      const [, suffix, type] = ROW.exec(line) ?? [];
      if (suffix === undefined) return [];
      const name = `${prefix}${suffix}`.replace(/[{}.]/g, '\\$&').replace(/<[^>]+>/g, '[^:{}]+');
      return [{ pattern: new RegExp(`^${name}$`), type: type!.toLowerCase() }];
    });
}
