// Every entry loads without the optional peers, and both ways of loading reach the same objects: with a second copy of a class, `instanceof` and injection would fail.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

const { name, exports } = require('nestjs-rivulet/package.json');
assert.equal(name, 'nestjs-rivulet');
// This one is for those who have its peer.
const left = process.argv.includes('--with-peers') ? [] : ['./opentelemetry'];
const entries = Object.keys(exports).filter(
  (path) => path !== './package.json' && !left.includes(path),
);

for (const path of entries) {
  const entry = path.replace('.', name);
  const imported = await import(entry);
  const required = require(entry);
  assert.notEqual(Object.keys(imported).length, 0, `${entry} exports nothing`);
  for (const key of Object.keys(imported)) assert.equal(required[key], imported[key]);
}
