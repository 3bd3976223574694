// npm run sample 30-idempotent: compiles the one file of a numbered sample as Nest would, and runs it against REDIS_URL.
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { transformSync } from '@swc/core';

const SAMPLES = new URL('../sample/', import.meta.url).pathname;
const OUT = new URL('../dist-sample/', import.meta.url).pathname;

const [name] = process.argv.slice(2);
const numbered = readdirSync(SAMPLES).filter((folder) => /^\d\d-/.test(folder));
const found = numbered.find((folder) => folder === name || (name && folder.startsWith(`${name}-`)));
if (!found || !existsSync(join(SAMPLES, found, 'main.ts'))) {
  console.error(`Which sample? npm run sample <name>, one of: ${numbered.join(', ')}`);
  process.exit(1);
}

const { code } = transformSync(readFileSync(join(SAMPLES, found, 'main.ts'), 'utf8'), {
  filename: 'main.ts',
  jsc: {
    target: 'es2022',
    parser: { syntax: 'typescript', decorators: true },
    transform: { legacyDecorator: true, decoratorMetadata: true },
    keepClassNames: true,
  },
  module: { type: 'es6' },
});
mkdirSync(join(OUT, found), { recursive: true });
const compiled = join(OUT, found, 'main.js');
writeFileSync(compiled, code);
await import(pathToFileURL(compiled).href);
