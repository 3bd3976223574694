export type ServerName = 'postgres' | 'mariadb' | 'mysql' | 'cluster';

/** The URL (of a cluster: its nodes, `host:port` with commas) of a server that all test files of this run share. Rejects, saying why, where none can be had. */
export async function sharedServer(name: ServerName): Promise<string> {
  const response = await fetch(`${process.env['RIVULET_TEST_SERVERS']}/${name}`);
  const text = await response.text();
  if (!response.ok) throw new Error(text);
  return text;
}

/** `RIVULET_WITHOUT=mariadb,postgres` leaves out the tests of those; nothing else does. */
export function describeWith(name: ServerName): typeof describe {
  const without = (process.env['RIVULET_WITHOUT'] ?? '').split(',');
  return (without.includes(name) ? describe.skip : describe) as typeof describe;
}
