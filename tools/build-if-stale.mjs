// Builds the library unless dist is newer than every source, and than what the build is told. A folder counts too: its
// time moves when a file goes. The first step of `npm start` and others, so it says what to do when nothing is installed.
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

if (!existsSync('node_modules/.bin/nest')) {
  console.error('What this needs is not installed here. Run `npm ci` first.');
  process.exit(1);
}

const changedAt = (path) => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
const sources = [
  ...['tsconfig.json', 'nest-cli.json', 'package-lock.json', 'tools/inline-lua.mjs'],
  'lib',
  ...readdirSync('lib', { recursive: true }).map((name) => join('lib', name)),
];
const builtAt = changedAt('dist/redis/lua-text.js'); // the last file of a build that came to its end

if (sources.some((path) => changedAt(path) > builtAt))
  execFileSync('npm', ['run', '--silent', 'build'], { stdio: 'inherit' });
