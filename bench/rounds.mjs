// Runs a benchmark: its sides take turns, and the order turns round each round, so that what the machine does
// meanwhile falls on all of them.

/** @returns for each side what it answered in each round. */
export async function runRounds({ benchmark, rounds, sizes, server, onSide }) {
  const sides = [...new Set(benchmark.rows.flatMap((row) => row.sides))];
  const answers = Object.fromEntries(sides.map((side) => [side, []]));
  for (let round = 0; round < rounds; round++) {
    const order = round % 2 === 0 ? sides : sides.toReversed();
    for (const side of order) {
      onSide({ round, side });
      await server.clear();
      answers[side].push(await benchmark.sides[side](sizes, server));
    }
  }
  return answers;
}
