import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { documentedKeys } from './documented-keys.js';
import { codeBlocks, PAGES, readPage, ROOT } from './pages.js';

describe('README and docs', () => {
  it.each(PAGES)('%s links to what is there', (page) => {
    const targets = [...readPage(page).matchAll(/\]\(([^)#\s]+)[^)]*\)/g)].map(([, link]) => link!);
    const missing = targets
      .filter((link) => !/^https?:/.test(link))
      .filter((link) => !existsSync(join(ROOT, dirname(page), link)));
    expect(missing).toEqual([]);
  });

  it('name the two commands that set everything up', () => {
    const commands = codeBlocks(readPage('README.md'), 'sh').flatMap((block) =>
      block.trim().split('\n'),
    );
    expect(commands.map((line) => line.replace(/\s*#.*/, ''))).toEqual([
      'npm ci && npm start',
      'npm ci && npm test',
    ]);
  });

  it('draw nothing that Mermaid might not', () => {
    const lines = PAGES.flatMap((page) => codeBlocks(readPage(page), 'mermaid')).flatMap((block) =>
      block.trimEnd().split('\n'),
    );
    // What all five diagrams need, and a browser was seen to draw. A ":" or ";" in a label ends it.
    const known = /^(stateDiagram-v2| {4}(\[\*\]|\w+) --> (\[\*\]|\w+)( : [^:;#%{}]+)?)$/;
    expect(lines.length).toBeGreaterThan(50);
    expect(lines.filter((line) => !known.test(line))).toEqual([]);
  });

  it('list every key that the library builds, with its type', () => {
    const source = readFileSync(join(ROOT, 'lib/redis/keys.ts'), 'utf8');
    const built = [...source.matchAll(/\/\*\* (SET|ZSET|HASH|LIST|STRING|STREAM) {2}/g)];
    const types = built.map(([, type]) => type!.toLowerCase());
    const documented = documentedKeys().map(({ type }) => type);
    expect(documented.toSorted()).toEqual(types.toSorted());
  });
});
