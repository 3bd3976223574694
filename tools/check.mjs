// `npm test`: all that must hold before a change goes in. Stops at the first step that fails; the last line counts the
// tests. Each step is an npm script and can be run alone.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findMariadb } from './mariadb/server.mjs';
import { findMysql, HOW_TO_INSTALL_MYSQL } from './mysql/server.mjs';
import { findPostgres } from './postgres/server.mjs';
import { findRedis, HOW_TO_INSTALL } from './with-redis.mjs';

const work = mkdtempSync(join(tmpdir(), 'rivulet-check-'));
const report = join(work, 'jest.json');
const stopped = new AbortController();

class StepFailedError extends Error {}

async function check() {
  console.log(`Node ${process.versions.node}`);
  const redis = findRedis(); // here, so that the test workers need not unpack one each
  if (!redis) throw new Error(`No Redis found. Set REDIS_BIN, or ${HOW_TO_INSTALL}.`);
  const databases = [
    process.env.PG_URL ? undefined : findPostgres(),
    process.env.MARIADB_URL ? undefined : findMariadb(),
    mysqlOrWithout(),
  ].filter(Boolean);
  for (const { version, bin } of [redis, ...databases]) console.log(`${version} (${bin})`);

  await step('build:if-stale'); // first: the others read dist, and building empties it
  await Promise.all([
    step('test:jest', { args: ['--json', '--outputFile', report], isQuiet: false }),
    meanwhile('lint', 'typecheck', 'format:check', 'arch', 'check:unused', 'check:package'),
  ]);
}

/** MySQL itself is rarely at hand where MariaDB is: its tests are left out then, and counted as skipped. */
function mysqlOrWithout() {
  if (process.env.MYSQL_URL) return undefined;
  const found = findMysql();
  if (!found) {
    console.log(
      `No MySQL: MariaDB speaks for both. To test it, set MYSQL_URL, or ${HOW_TO_INSTALL_MYSQL}.`,
    );
    process.env.RIVULET_WITHOUT = [process.env.RIVULET_WITHOUT, 'mysql'].filter(Boolean).join(',');
  }
  return found;
}

/** One after another, in what the tests leave of the processors: these wait for servers half of their time. */
async function meanwhile(...scripts) {
  for (const script of scripts) await step(script, { isNice: true });
}

/** Run an npm script. What a quiet one prints is shown only when it fails. */
async function step(script, { args = [], isQuiet = true, isNice = false } = {}) {
  const startedAt = performance.now();
  const output = isQuiet ? 'pipe' : 'inherit';
  const [command, ...rest] = [
    ...(isNice ? ['nice', '-n', '19'] : []),
    ...['npm', 'run', '--silent', script, '--', ...args],
  ];
  const child = spawn(command, rest, {
    stdio: ['ignore', output, output],
    signal: stopped.signal,
  });
  const printed = [];
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (chunk) => printed.push(chunk));
  const [code] = await once(child, 'close');

  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  console.log(`${code === 0 ? 'ok    ' : 'FAILED'}  ${script.padEnd(14)} ${seconds.padStart(6)} s`);
  if (code === 0) return;
  process.stdout.write(Buffer.concat(printed));
  throw new StepFailedError(script);
}

/** A file that does not load holds no tests to count: it counts as one that failed. */
function countTests() {
  if (!existsSync(report)) return { passed: 0, failed: 0, skipped: 0 };
  const jest = JSON.parse(readFileSync(report, 'utf8'));
  return {
    passed: jest.numPassedTests,
    failed: jest.numFailedTests + jest.numRuntimeErrorTestSuites,
    skipped: jest.numPendingTests + jest.numTodoTests,
  };
}

const problem = await check().catch((error) => {
  stopped.abort();
  if (!(error instanceof StepFailedError)) console.error(error.message);
  return error;
});
const { passed, failed, skipped } = countTests();
rmSync(work, { recursive: true, force: true });

if (skipped > 0) console.log(`${skipped} skipped`);
// Another step than the tests may have failed, and a run without tests proves nothing.
const failures = failed || (problem || passed === 0 ? 1 : 0);
process.exitCode = failures > 0 ? 1 : 0;
console.log(`\n${passed} passed, ${failures} failed`);
