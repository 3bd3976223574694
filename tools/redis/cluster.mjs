// A private Redis Cluster: real processes, kept small. Slots and replicas are given by hand, which takes a second where
// `redis-cli --cluster create` takes five.
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { startRedis } from './server.mjs';

const SLOTS = 16_384;
const FORM_WITHIN_MS = 30_000;

/**
 * Start `primaries` nodes that share the slots evenly, and `replicas` of each.
 *
 * @throws when it is not complete within 30 s.
 */
export async function startCluster(
  binary,
  { primaries = 3, replicas = 1, nodeTimeoutMs = 2_000, args: own = [], ...options } = {},
) {
  const args = (port) => [
    ...['--cluster-enabled', 'yes', '--cluster-node-timeout', String(nodeTimeoutMs)],
    // Otherwise all nodes refuse everything while one has no follower yet.
    ...['--cluster-require-full-coverage', 'no'],
    ...['--repl-diskless-sync-delay', '0', '--cluster-replica-validity-factor', '0'],
    // A replica that never got a byte is on nobody's map (CLUSTER SLOTS); a ping is one, by default after 10 s.
    ...['--repl-ping-replica-period', '1'],
    ...(typeof own === 'function' ? own(port) : own),
  ];
  const count = primaries * (1 + replicas);
  const started = await Promise.allSettled(
    Array.from({ length: count }, () => startRedis(binary, { ...options, args })),
  );
  const nodes = started.flatMap(({ value }) => value ?? []);
  const stop = async () => void (await Promise.all(nodes.map((node) => node.stop())));
  const { socket } = options;
  const clients = nodes.map(({ port, dir }) =>
    socket ? new Redis(join(dir, socket)) : new Redis(port, '127.0.0.1'),
  );
  for (const client of clients) client.on('error', () => {}); // each is asked again until the time is up
  try {
    const failed = started.find(({ status }) => status === 'rejected');
    if (failed) throw failed.reason;
    await form({ nodes, clients, primaries });
  } catch (error) {
    await stop();
    throw error;
  } finally {
    for (const client of clients) client.disconnect();
  }
  return { nodes, url: nodes.map(({ port }) => `127.0.0.1:${port}`).join(','), stop };
}

async function form({ nodes, clients, primaries }) {
  const share = SLOTS / primaries;
  await Promise.all(
    clients.map(async (client, i) => {
      await client.call('CLUSTER', 'SET-CONFIG-EPOCH', i + 1);
      if (i >= primaries) return;
      const [from, to] = [Math.round(i * share), Math.round((i + 1) * share) - 1];
      await client.call('CLUSTER', 'ADDSLOTSRANGE', from, to);
    }),
  );
  for (const { port } of nodes.slice(1))
    await clients[0].call('CLUSTER', 'MEET', '127.0.0.1', port);
  const says = async (client, section, word) => (await client[section]('INFO')).includes(word);
  await until(() =>
    every(clients, (c) => says(c, 'cluster', `cluster_known_nodes:${nodes.length}`)),
  );
  const ids = await Promise.all(clients.slice(0, primaries).map((c) => c.call('CLUSTER', 'MYID')));
  const replicas = clients.slice(primaries);
  await Promise.all(replicas.map((c, i) => c.call('CLUSTER', 'REPLICATE', ids[i % primaries])));
  await until(() => every(clients, (c) => says(c, 'cluster', 'cluster_state:ok')));
  await until(() =>
    every(replicas, async (c) => (await c.info('replication')).includes('master_link_status:up')),
  );
  await until(() => every(clients, (c) => knowsAll(c, nodes.length)));
}

/** Nodes tell each other by and by; a client asks any of them for the map, and one that lags leaves replicas out of it. */
async function knowsAll(client, count) {
  const ranges = await client.call('CLUSTER', 'SLOTS');
  const slots = ranges.reduce((sum, [from, to]) => sum + to - from + 1, 0);
  return slots === SLOTS && ranges.flatMap(([, , ...serving]) => serving).length === count;
}

async function every(clients, holds) {
  const answers = await Promise.allSettled(clients.map(holds));
  return answers.every(({ value }) => value === true);
}

async function until(holds) {
  const giveUpAt = performance.now() + FORM_WITHIN_MS;
  while (!(await holds())) {
    if (performance.now() > giveUpAt)
      throw new Error(`The cluster was not complete within ${FORM_WITHIN_MS} ms`);
    await sleep(20);
  }
}
