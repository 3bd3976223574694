#!/usr/bin/env node
// `npm run test:faults`: breaks everything, in the long form, and prints one table.
//   --only F6,F9     these rows
//   --seeds 3        so many times, each with another seed (default 1)
//   --short          as long as `npm test` does it
//   --json FILE      the table, for a program
// Each row is a set of tests (faults/matrix.mjs); here they are run, counted, and their figures collected. Exits with 1
// when one of them failed, or a row had none.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import { MATRIX } from './faults/matrix.mjs';
import { table } from './faults/table.mjs';

const { values: options } = parseArgs({
  options: {
    only: { type: 'string' },
    seeds: { type: 'string', default: '1' },
    short: { type: 'boolean', default: false },
    json: { type: 'string' },
  },
});
const wanted = options.only?.split(',');
const unknown = wanted?.filter((id) => !MATRIX.some((row) => row.id === id)) ?? [];
if (unknown.length > 0)
  throw new Error(
    `No such row: ${unknown.join(', ')}. There are ${MATRIX.map(({ id }) => id).join(', ')}.`,
  );
const rows = MATRIX.filter(({ id }) => !wanted || wanted.includes(id)).map((row) => ({
  ...row,
  ...{ passed: 0, failed: 0, runs: [] },
}));

for (let run = 0; run < Number(options.seeds); run++) {
  const seed = process.env.RIVULET_SEED ?? String(Math.floor(Math.random() * 2 ** 31));
  await runOnce(seed);
}
console.log(table(rows));
if (options.json) writeFileSync(options.json, JSON.stringify(rows, null, 2));
process.exitCode = rows.every(({ passed, failed }) => passed > 0 && failed === 0) ? 0 : 1;

/** One file after the other: they measure. */
async function runOnce(seed) {
  const work = mkdtempSync(join(tmpdir(), 'rivulet-faults-'));
  const [report, figures] = [join(work, 'jest.json'), join(work, 'figures')];
  const files = [...new Set(rows.flatMap(({ tests }) => tests.map(([file]) => file)))];
  const long = options.short ? {} : Object.assign({}, ...rows.map((row) => row.long));
  const jest = spawn(
    'npm',
    [
      ...['run', '--silent', 'test:jest', '--', ...files, '--maxWorkers', '1'],
      ...['--json', '--outputFile', report],
    ],
    {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: { ...process.env, ...long, RIVULET_SEED: seed, RIVULET_FIGURES: figures },
    },
  );
  await once(jest, 'exit');
  if (!existsSync(report)) throw new Error('The tests did not run.');
  count(JSON.parse(readFileSync(report, 'utf8')));
  collect(existsSync(figures) ? readFileSync(figures, 'utf8').trim().split('\n') : []);
  rmSync(work, { recursive: true });
}

function count({ testResults }) {
  for (const { name, assertionResults, status } of testResults) {
    const file = relative(process.cwd(), name);
    for (const row of rows)
      for (const [path, part = ''] of row.tests) {
        if (path !== file) continue;
        const own = assertionResults.filter(({ fullName }) => fullName.includes(part));
        row.passed += own.filter((test) => test.status === 'passed').length;
        row.failed += own.filter((test) => test.status === 'failed').length;
        // A file that does not load holds no tests to count.
        if (status === 'failed' && assertionResults.length === 0) row.failed += 1;
      }
  }
}

function collect(lines) {
  for (const line of lines) {
    const { name, figures } = JSON.parse(line);
    for (const row of rows) if (row.figures?.includes(name)) row.runs.push({ name, figures });
  }
}
