// Both ways of loading reach the same objects: with a second copy of a class, `instanceof` and injection would fail.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

for (const entry of ['nestjs-rivulet', 'nestjs-rivulet/testing']) {
  const imported = await import(entry);
  const required = require(entry);
  assert.notEqual(Object.keys(imported).length, 0, `${entry} exports nothing`);
  for (const name of Object.keys(imported)) assert.equal(required[name], imported[name]);
}
assert.equal(require('nestjs-rivulet/package.json').name, 'nestjs-rivulet');
