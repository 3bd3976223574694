// `npm run bench`: ours, the raw floor and the peers, side by side. See options.mjs for the arguments, benchmarks.mjs
// for what is measured. Needs REDIS_URL: an empty server of its own (`npm run bench` starts one).
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { dirname, resolve } from 'node:path';
import { readOptions, USAGE } from './options.mjs';
import { Server } from './redis.mjs';
import { json, resultOf, table } from './report.mjs';
import { runRounds } from './rounds.mjs';

async function main(options) {
  const { scale, rounds, sizes, selected } = options;
  if (options.profile) process.env.BENCH_PROFILE_DIR = resolve(options.profile);
  const server = new Server();
  const results = [];
  try {
    const about = await server.prepare();
    say(
      `${about}; Node ${process.versions.node}; ${cpus().length} × ${cpus()[0].model}; ${scale}, ${rounds} rounds`,
    );
    for (const benchmark of selected) {
      const onSide = ({ round, side }) =>
        say(`  ${benchmark.name} ${round + 1}/${rounds}: ${side}`);
      const answers = await runRounds({ benchmark, rounds, sizes, server, onSide });
      results.push(...benchmark.rows.map((row) => resultOf(row, answers)));
    }
    await server.clear();
  } finally {
    server.close();
  }

  console.log(`\n${table(results)}`);
  if (!options.json) return;
  mkdirSync(dirname(resolve(options.json)), { recursive: true });
  writeFileSync(options.json, json(scale, results));
}

/** Progress, apart from the result. */
function say(text) {
  console.error(text);
}

try {
  const options = readOptions(process.argv.slice(2));
  if (options.help) console.log(USAGE);
  else await main(options);
} catch (error) {
  say(error.message);
  process.exitCode = 1;
}
