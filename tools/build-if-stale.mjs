// Builds the library unless dist is newer than every source. A folder counts too: its time moves when a file goes.
import { execFileSync } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

const changedAt = (path) => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
const sources = [
  'lib',
  ...readdirSync('lib', { recursive: true }).map((name) => join('lib', name)),
];
const builtAt = changedAt('dist/index.js');

if (sources.some((path) => changedAt(path) > builtAt))
  execFileSync('npm', ['run', '--silent', 'build'], { stdio: 'inherit' });
