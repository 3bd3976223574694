import { readFileSync } from 'node:fs';
import { scripts } from '../../lib/redis/scripts.js';

const LIBRARIES = ['prelude', 'groups', 'halves', 'lane-records', 'steady'];
const LUA = new URL('../../lib/redis/lua/', import.meta.url);

const textOf = (name: string): string => readFileSync(new URL(`${name}.lua`, LUA), 'utf8');

/** The lines at the left edge that declare something. */
const declarations = (text: string): string[] => text.match(/^local .*$/gm) ?? [];

const nameOf = (declaration: string): string =>
  /^local (?:function )?(\w+)(?:\(| = )/.exec(declaration)?.[1] ?? `no name in: ${declaration}`;

const shared = LIBRARIES.flatMap((library) => declarations(textOf(library)).map(nameOf));

/** What of the libraries travels with a script. */
const carriedBy = (source: string): string[] =>
  declarations(source)
    .map(nameOf)
    .filter((name) => shared.includes(name));

describe('what scripts share', () => {
  it('has one name each, and no name is another one’s', () => {
    expect(shared.length).toBeGreaterThan(20);
    for (const name of shared) expect(name).toMatch(/^\w+$/);
    expect(new Set(shared).size).toBe(shared.length);
  });

  it('has a name that no script gives to something of its own', () => {
    for (const { name } of Object.values(scripts)) {
      const own = [...textOf(name).matchAll(/\blocal (?:function )?([\w, ]+)/g)];
      const names = own.flatMap(([, list]) => list!.split(',').map((each) => each.trim()));
      expect([name, names.filter((each) => shared.includes(each))]).toEqual([name, []]);
    }
  });

  it('is needed by somebody', () => {
    const carried = Object.values(scripts).flatMap((script) => carriedBy(script['source']));
    expect(shared.filter((name) => !carried.includes(name))).toEqual([]);
  });
});

describe.each(Object.values(scripts).map((script) => [script.name, script['source']] as const))(
  'the text of %s',
  (_, source) => {
    it('carries only what is used further down', () => {
      for (const name of carriedBy(source)) {
        const [, after = ''] = source.split(new RegExp(`^local (?:function )?${name}\\b`, 'm'));
        const block = /^(?:[^\n]*\n)(?:[^\n]*\n)*?(?=local |end\n)/.exec(after)?.[0] ?? '';
        // A constant is read, a function is called.
        const use = name === name.toUpperCase() ? `\\b${name}\\b` : `\\b${name}\\(`;
        expect(after.slice(block.length)).toMatch(new RegExp(use));
      }
    });
  },
);

it('a script that calls nothing of the libraries carries nothing, and one that does carries that', () => {
  expect(carriedBy(scripts.beginRemoval['source'])).toEqual([]);
  expect(carriedBy(scripts.append['source'])).toEqual(['now_ms', 'whole', 'server_run', 'next_id']);
});
