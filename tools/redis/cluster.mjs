// A private Redis Cluster: real processes, kept small. Slots and replicas are given by hand, which takes a second where
// `redis-cli --cluster create` takes five.
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { startRedis } from './server.mjs';

const SLOTS = 16_384;
const FORM_WITHIN_MS = 30_000;

/**
 * Start `primaries` nodes that share the slots evenly, and `replicas` of each. A node that does not answer for
 * `nodeTimeoutMs` is taken for dead; once the cluster stands for `calmTimeoutMs`, when that is given.
 *
 * @throws when it is not complete within 30 s.
 */
export async function startCluster(
  binary,
  {
    primaries = 3,
    replicas = 1,
    nodeTimeoutMs = 2_000,
    calmTimeoutMs = nodeTimeoutMs,
    args: own = [],
    ...options
  } = {},
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
    const configure = (...settings) =>
      Promise.all(clients.map((client) => client.config('SET', ...settings)));
    // Until the cluster stands, who gets no CPU for a moment is not to be followed by its replica.
    await configure('cluster-replica-no-failover', 'yes');
    await form({ nodes, clients, primaries });
    await configure('cluster-replica-no-failover', 'no', 'cluster-node-timeout', calmTimeoutMs);
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
  const says = async (client, section, word) => (await client[section]('INFO')).includes(word);
  const ids = await Promise.all(clients.map((c) => c.call('CLUSTER', 'MYID')));
  await until(async () => {
    await meet(nodes, { ids, client: clients[0] });
    return every(clients, (c) => hasMet(c, ids));
  });
  const replicas = clients.slice(primaries);
  await Promise.all(replicas.map((c, i) => c.call('CLUSTER', 'REPLICATE', ids[i % primaries])));
  await until(() => every(clients, (c) => says(c, 'cluster', 'cluster_state:ok')));
  await until(() =>
    every(replicas, async (c) => (await c.info('replication')).includes('master_link_status:up')),
  );
  await until(() => every(clients, (c) => knowsAll(c, nodes.length)));
}

/** A handshake that a busy node does not answer within the node timeout is forgotten: whoever is unknown is met again. */
async function meet(nodes, { ids, client }) {
  const told = await client.call('CLUSTER', 'NODES');
  for (const [i, { port }] of nodes.entries())
    if (!told.includes(ids[i])) await client.call('CLUSTER', 'MEET', '127.0.0.1', port);
}

/** Until its handshake is over a node is counted as known, and goes by another id. */
async function hasMet(client, ids) {
  const told = await client.call('CLUSTER', 'NODES');
  return ids.every((id) => told.includes(id));
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
