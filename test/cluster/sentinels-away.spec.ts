import { once } from 'node:events';
import { Fleet } from '../helpers/fleet.js';
import { startSentinel, type TestSentinel } from '../helpers/sentinel.js';
import { within } from '../helpers/workload.js';

const PROGRAM = new URL('../guarantees/programs/sentinel-listener.mjs', import.meta.url);

let servers: TestSentinel | undefined;
afterAll(() => servers?.stop());

it('Sentinels that are away are looked for without an error on the console', async () => {
  servers = await startSentinel({ replicas: 1 });
  const processes = new Fleet({ program: PROGRAM, args: [JSON.stringify(servers.connection)] });
  const child = await processes.launch();
  const left = once(child, 'exit');
  for (const sentinel of servers.sentinels) await sentinel.kill();
  await within(60_000, 'the end of the process', left);
  const told = processes.log.map(({ told: { event } }) => event);
  expect(told.filter((event) => event !== undefined)).toEqual(['nothing was said']);
});
