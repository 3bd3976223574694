export type ServerName = 'postgres' | 'mariadb' | 'mysql' | 'mongo' | 'cluster';

/** The URL (of a cluster: its nodes, `host:port` with commas) of a server that all test files of this run share. Rejects, saying why, where none can be had. */
export async function sharedServer(name: ServerName): Promise<string> {
  const response = await fetch(`${process.env['RIVULET_TEST_SERVERS']}/${name}`);
  const text = await response.text();
  if (!response.ok) throw new Error(text);
  return text;
}

/** The first one of a run who asks for a server starts it: minutes on a machine that is busy. */
const START_MS = 240_000;

/**
 * `describe`, whose first hook waits for the server: no other one, and no test, needs time for that.
 * `RIVULET_WITHOUT=mariadb,postgres` leaves out the tests of those; nothing else does.
 */
export function describeWith(name: ServerName): (title: string, tests: () => void) => void {
  const without = (process.env['RIVULET_WITHOUT'] ?? '').split(',');
  if (without.includes(name)) return describe.skip;
  return (title, tests) =>
    describe(title, () => {
      waitForServer(name);
      tests();
    });
}

/** The first hook of a file, or of a `describe`, that cannot go without the server. */
export function waitForServer(name: ServerName): void {
  beforeAll(async () => {
    await sharedServer(name);
  }, START_MS);
}
