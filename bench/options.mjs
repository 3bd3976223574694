// The command line of `npm run bench`.
import { parseArgs } from 'node:util';
import { benchmarks, transactionBenchmarks } from './benchmarks.mjs';
import { scales } from './scales.mjs';

export const USAGE = `npm run bench -- [--quick] [--transactions] [--only send,consume.raw,…] [--json FILE] [--rounds N] [--profile FOLDER]

  --quick           3 rounds of smaller sizes, under three minutes in all, with --transactions under 90 s
  --only NAMES      benchmarks or single rows, comma between: ${benchmarks.map(({ name }) => name).join(', ')}
  --transactions    database transactions on a PostgreSQL that is started for it, in place of all that:
                    ${transactionBenchmarks.map(({ name }) => name).join(', ')}
  --json FILE       write the ratios there
  --rounds N        so many rounds instead of ${scales.full.rounds} (${scales.quick.rounds} with --quick)
  --profile FOLDER  keep a CPU profile of every process there (slower: ratios are not to be quoted)`;

/** @throws with the usage when the arguments cannot be meant. */
export function readOptions(argv) {
  try {
    const { values } = parseArgs({
      args: argv,
      options: {
        quick: { type: 'boolean', default: false },
        transactions: { type: 'boolean', default: false },
        only: { type: 'string' },
        json: { type: 'string' },
        rounds: { type: 'string' },
        profile: { type: 'string' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    const scale = values.quick ? 'quick' : 'full';
    return {
      ...values,
      scale,
      sizes: scales[scale],
      rounds: rounds(values.rounds ?? String(scales[scale].rounds)),
      selected: select(values.only, values.transactions ? transactionBenchmarks : benchmarks),
    };
  } catch (error) {
    throw new Error(`${error.message}\n\n${USAGE}`, { cause: error });
  }
}

function rounds(text) {
  if (/^[1-9]\d*$/.test(text)) return Number(text);
  throw new Error(`--rounds must be a positive integer, got: ${text}`);
}

/** Benchmarks with the rows that are asked for; all of them when nothing is said. */
function select(only, benchmarks) {
  if (only === undefined) return benchmarks;
  const names = only.split(',').map((name) => name.trim());
  const known = benchmarks.flatMap(({ name, rows }) => [name, ...rows.map((row) => row.name)]);
  const unknown = names.filter((name) => !known.includes(name));
  if (unknown.length > 0)
    throw new Error(`--only: nothing is called ${unknown.join(', ')}; known: ${known.join(', ')}`);
  return benchmarks
    .map((benchmark) => ({
      ...benchmark,
      rows: benchmark.rows.filter((row) =>
        [benchmark.name, row.name].some((n) => names.includes(n)),
      ),
    }))
    .filter(({ rows }) => rows.length > 0);
}
