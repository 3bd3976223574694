// Runs bench/run.mjs against a private Redis with the append-only file fsynced every second:
//   npm run bench -- [arguments of bench/run.mjs]
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';

const run = (command, ...args) => execFileSync(command, args, { stdio: 'inherit' });

if (!existsSync('bench/node_modules')) run('npm', 'ci', '--prefix', 'bench');
run('node', 'tools/build-if-stale.mjs');

delete process.env.REDIS_URL; // someone's own server would be measured, and filled
const bench = ['node', 'bench/run.mjs', ...process.argv.slice(2)];
try {
  run('node', 'tools/with-redis.mjs', '--persistence', 'aof-everysec', '--', ...bench);
} catch (error) {
  process.exitCode = error.status ?? 1; // bench/run.mjs has said why
}
