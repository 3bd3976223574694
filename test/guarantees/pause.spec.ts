import { once } from 'node:events';
import { setTimeout as pass } from 'node:timers/promises';
import { MessageAdmin } from '../../lib/inspect/message-admin.js';
import { tellFigures } from '../helpers/figures.js';
import { Fleet } from '../helpers/fleet.js';
import { useOperatedRedis } from '../helpers/operated-redis.js';
import { lagLeft, within } from '../helpers/workload.js';

/** Long: RIVULET_SENDS=2000. Half of them come while the groups are paused. */
const SENDS = Number(process.env['RIVULET_SENDS'] ?? 200);
const LANES = 20;
const PROGRAM = new URL('./programs/paused-consumer.mjs', import.meta.url);
const PATIENCE_MS = 60_000;
const PAUSED = ['plain', 'ordered'];
/** As the program sets it. */
const LEASE_MS = 1_500;

const server = useOperatedRedis();

/** What a process started between hearing of the pause and hearing of its end. */
function startedInVain(fleet: Fleet): string[] {
  const paused = new Set<string>();
  return fleet.log.flatMap(({ pid, told: { event, started } }) => {
    const [what, group] = event?.split(' ') ?? [];
    if (what === 'group-paused') paused.add(`${pid} ${group}`);
    if (what === 'group-resumed') paused.delete(`${pid} ${group}`);
    return started && paused.has(`${pid} ${started.split(' ')[0]}`) ? [`${pid} ${started}`] : [];
  });
}

it('a group that is paused stays so while its processes are killed, frozen and replaced, and goes on where it was', async () => {
  const facts = { namespace: 'pause', topic: 'orders' };
  const producing = server.connect(facts.namespace);
  const admin = new MessageAdmin({ rivulet: producing });
  await producing.open();
  let sent = 0;
  const send = async (count: number): Promise<void> => {
    for (const until = sent + count; sent < until; sent++) {
      const key = String(sent);
      const messageGroup = `g${sent % LANES}`;
      await producing.producer.send('orders', {}, { key, messageGroup });
    }
  };
  const args = [server.url, JSON.stringify({ ...facts, handlerMs: 20 })];
  const fleet = new Fleet({ program: PROGRAM, args });
  const handledBy = (group: string): number =>
    [...fleet.handled.keys()].filter((name) => name.startsWith(`${group} `)).length;
  const whenHandled = async (group: string, count: number): Promise<void> => {
    while (handledBy(group) < count) await fleet.change();
  };
  const [dying, freezing] = await Promise.all([fleet.launch(), fleet.launch()]);
  const sending = send(SENDS / 2);
  await within(PATIENCE_MS, 'some of the first half', whenHandled('plain', SENDS / 8));
  for (const group of PAUSED) await admin.pauseGroup('orders', group);
  const heard = [dying, freezing].flatMap((each) =>
    PAUSED.map((group) => fleet.whenEvent(each!, `group-paused ${group}`)),
  );
  await within(PATIENCE_MS, 'the pause', Promise.all(heard));

  // With what it has in hand, and the leases of its queues.
  dying!.kill('SIGKILL');
  await once(dying!, 'exit');
  const late = await fleet.launch();
  const knows = PAUSED.map((group) => fleet.whenEvent(late, `group-paused ${group}`));
  await within(PATIENCE_MS, 'the pause, in a process that starts later', Promise.all(knows));
  freezing!.kill('SIGSTOP');
  await sending;
  await send(SENDS / 2);
  await pass(LEASE_MS);
  freezing!.kill('SIGCONT');
  await within(PATIENCE_MS, 'all of the other group', whenHandled('other', SENDS));
  const meanwhile = PAUSED.map((group) => handledBy(group));
  expect(startedInVain(fleet)).toEqual([]);
  for (const count of meanwhile) expect(count).toBeLessThanOrEqual(SENDS / 2);

  for (const group of PAUSED) await admin.resumeGroup('orders', group);
  for (const group of PAUSED)
    await within(PATIENCE_MS, `all of ${group}`, whenHandled(group, SENDS));
  const left = await Promise.all(
    PAUSED.map((group) => lagLeft(producing, { topic: 'orders', group })),
  );
  await fleet.stop();
  const again = [...fleet.handled.values()].filter((times) => times > 1).length;
  tellFigures('pause', {
    ...{ sent: SENDS, handled: PAUSED.map((group) => handledBy(group)).join('+') },
    ...{ whilePaused: meanwhile.join('+'), startedInVain: startedInVain(fleet).length, again },
  });
  expect(startedInVain(fleet)).toEqual([]);
  expect(left).toEqual([0, 0]);
});
