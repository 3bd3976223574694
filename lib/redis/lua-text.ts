import { readFileSync } from 'node:fs';

/**
 * The text of a file of `lua/`, by its name without `.lua`.
 *
 * The build puts all texts in the place of this module (tools/inline-lua.mjs), so that the library needs no file beside its code:
 * bundlers carry code only.
 *
 * @throws when there is no such file, which is noticed at import, not at the first retry.
 */
export function luaText(name: string): string {
  return readFileSync(new URL(`./lua/${name}.lua`, import.meta.url), 'utf8');
}
