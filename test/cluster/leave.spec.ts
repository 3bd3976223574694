import { once } from 'node:events';
import { Fleet } from '../helpers/fleet.js';
import { sharedServer, waitForServer } from '../helpers/servers.js';
import { within } from '../helpers/workload.js';

const PROGRAM = new URL('../guarantees/programs/cluster-leaver.mjs', import.meta.url);

waitForServer('cluster');

it('a client that is closed while it asks for the map of the cluster keeps no process alive', async () => {
  const fleet = new Fleet({ program: PROGRAM, args: [await sharedServer('cluster')] });
  const child = await fleet.launch();
  const left = once(child, 'exit');
  expect(await within(60_000, 'the end of the process', left)).toEqual([0, null]);
});
