import { readdirSync, readFileSync } from 'node:fs';
import { scripts } from '../../lib/redis/scripts.js';

const LUA = new URL('../../lib/redis/lua/', import.meta.url);
const TYPES = ['STRING', 'HASH', 'LIST', 'SET', 'ZSET', 'STREAM', 'any'];

/** May run when memory is short: they drain, or change what is there. All others are refused before they start. */
const DRAINS = [
  'take-tokens',
  'take-permits',
  ...['acknowledge', 'settle', 'claim-due', 'renew', 'reclaim', 'reopen', 'trim', 'cancel'],
  ...[
    'reschedule',
    'alter-topic',
    'end-growth',
    'begin-removal',
    'remove-life',
    'open-queue',
    'close-group',
  ],
  // Whoever drains joins first.
  ...['join-group', 'open-group', 'note-lost'],
  ...['commit-half', 'rollback-half', 'extend-half', 'claim-halves', 'park-half', 'unpark-half'],
  'touch',
  ...[
    'note-work',
    'take-work',
    'finish-work',
    'beat',
    'note-presence',
    'renew-inbox',
    'revive-inbox',
  ],
  ...[
    'drained',
    'acquire-lease',
    'renew-lease',
    'release-lease',
    'load-lanes',
    'read-lanes',
    'open-door',
    'step',
  ],
  ...['hold-lane', 'step-held', 'resume-lane'],
  'dedup',
];
const READS = [
  'due-in',
  'lag',
  'find-scheduled',
  'list-scheduled',
  'check-rights',
  'lease',
  'contents',
];

interface Header {
  shebang: string;
  lines: string[];
  code: string;
}

function readHeader(name: string): Header {
  const text = readFileSync(new URL(`${name}.lua`, LUA), 'utf8');
  const [shebang = '', ...rest] = text.split('\n');
  const end = rest.findIndex((line) => !line.startsWith('--'));
  return { shebang, lines: rest.slice(0, end), code: rest.slice(end).join('\n') };
}

function listed(header: Header, kind: 'KEYS' | 'ARGV'): { place: string; rest: string }[] {
  const line = new RegExp(`^-- ${kind}\\[(\\w+\\+?)\\]\\s+(.*)$`);
  return header.lines.flatMap((text) => {
    const match = line.exec(text);
    return match ? [{ place: match[1]!, rest: match[2]! }] : [];
  });
}

describe('every script', () => {
  const all = Object.values(scripts);

  it('has a file, and every file is a script', () => {
    const files = readdirSync(LUA).map((file) => file.replace('.lua', ''));
    expect(files.sort()).toEqual(
      [
        'prelude',
        'groups',
        'halves',
        'lane-records',
        'steady',
        ...all.map(({ name }) => name),
      ].sort(),
    );
  });

  describe.each(all.map((script) => [script.name, script] as const))('%s', (name, script) => {
    const header = readHeader(name);

    it('begins with #!lua and the right flags', () => {
      const flags = DRAINS.includes(name)
        ? ' flags=allow-oom'
        : READS.includes(name)
          ? ' flags=no-writes'
          : '';
      expect(header.shebang).toBe(`#!lua${flags}`);
    });

    it('says what it does, what it answers and what it keeps true', () => {
      expect(header.lines[0]).toMatch(/^-- [A-Z].*[.?:]$/);
      expect(header.lines.join('\n')).toMatch(/\n-- Returns  \{ [^]*\n-- Invariant: /);
    });

    it('names the keys it is called with, in order', () => {
      const { keys, moreKeys } = script;
      const names: readonly string[] = keys;
      const described = listed(header, 'KEYS');
      expect(described.map(({ place }) => place)).toEqual([
        ...names.map((_, i) => String(i + 1)),
        ...(moreKeys ? [`${keys.length + 1}+`] : []),
      ]);
      names.forEach((key, i) => expect(described[i]!.rest).toMatch(new RegExp(`^\\w+ +${key}: `)));
      for (const { rest } of described) expect(TYPES).toContain(rest.split(' ')[0]);
    });

    it('names the arguments it is called with; the last is the test time', () => {
      const { args, moreArgs } = script;
      const described = listed(header, 'ARGV');
      expect(described.map(({ place }) => place)).toEqual([
        ...args.map((_, i) => String(i + 1)),
        ...(moreArgs ? [`${args.length + 1}+`, 'last'] : [String(args.length + 1)]),
      ]);
      expect(described.at(-1)!.rest).toMatch(/^ms +test time, '' = TIME/);
    });

    it('answers the words it promises', () => {
      const text = header.lines.join('\n');
      const returns = text.slice(text.indexOf('-- Returns'), text.indexOf('-- Invariant'));
      for (const [, word] of returns.matchAll(/\{ '([a-z-]+)'/g))
        expect(header.code).toContain(`'${word}'`);
    });

    it('uses each key and argument', () => {
      script.keys.forEach((_, i) => {
        if (header.code.includes('KEYS[i]') && name !== 'append') return;
        expect(header.code).toContain(`KEYS[${i + 1}]`);
      });
      for (const [i] of script.args.entries())
        expect(header.code).toMatch(new RegExp(`ARGV\\[(${i + 1}|i)\\]`));
    });
  });
});

describe('one key name', () => {
  it('has one type in every script', () => {
    const types = new Map<string, Set<string>>();
    for (const { name } of Object.values(scripts))
      for (const { rest } of listed(readHeader(name), 'KEYS')) {
        const [, type, key] = /^(\w+) +(\w+):/.exec(rest) ?? [];
        if (type && key) types.set(key, (types.get(key) ?? new Set()).add(type));
      }
    for (const [key, found] of types) expect([key, ...found]).toHaveLength(2);
  });
});
