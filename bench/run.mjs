// `npm run bench`: ours, the raw floor and the peers, side by side. See options.mjs for the arguments, benchmarks.mjs
// for what is measured. Needs REDIS_URL: an empty server of its own (`npm run bench` starts one).
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { dirname, resolve } from 'node:path';
import { findPostgres, HOW_TO_INSTALL_POSTGRES, startPostgres } from '../tools/postgres/server.mjs';
import { readOptions, USAGE } from './options.mjs';
import { Server } from './redis.mjs';
import { json, resultOf, table } from './report.mjs';
import { runRounds } from './rounds.mjs';

async function main(options) {
  const { scale, rounds, sizes, selected } = options;
  if (options.profile) process.env.BENCH_PROFILE_DIR = resolve(options.profile);
  const server = new Server();
  const postgres = options.transactions ? await openPostgres() : undefined;
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
    await postgres?.stop();
  }

  console.log(`\n${table(results)}`);
  if (!options.json) return;
  mkdirSync(dirname(resolve(options.json)), { recursive: true });
  writeFileSync(options.json, json(scale, results));
}

async function openPostgres() {
  const binary = findPostgres();
  if (!binary)
    throw new Error(`There is no PostgreSQL here: ${HOW_TO_INSTALL_POSTGRES}, or set PG_BIN`);
  const postgres = await startPostgres(binary, { args: ['-c', 'fsync=on'] });
  process.env.BENCH_POSTGRES_URL = postgres.url;
  say(`${binary.version}, fsync on`);
  return postgres;
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
