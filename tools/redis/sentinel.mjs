// A private Redis with replicas, and the Sentinels that watch it.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { startPrivateServer } from '../private-server.mjs';
import { ping, startRedis } from './server.mjs';

const NAME = 'main';
const SENTINELS = 3;
const READY_WITHIN_MS = 30_000;

/**
 * Start a master, `replicas` of it, and three Sentinels that take it for dead after `downAfterMs`.
 *
 * @throws when they do not know of each other within 30 s.
 */
export async function startSentinel(binary, { replicas = 2, downAfterMs = 1_000, tls } = {}) {
  const servers = [];
  const stop = async () => void (await Promise.all(servers.map((server) => server.stop())));
  try {
    const own = tls ? { socket: tls.socket } : {};
    const secured = (args) => (port) => [...(tls?.args(port) ?? []), ...args];
    const nodes = [await startRedis(binary, { ...own, args: secured([]) })];
    servers.push(...nodes);
    const [{ port }] = nodes;
    const args = ['--replicaof', '127.0.0.1', String(port), '--repl-diskless-sync-delay', '0'];
    const followers = Array.from({ length: replicas }, () =>
      startRedis(binary, { ...own, args: secured(args) }),
    );
    for (const follower of await Promise.all(followers)) {
      nodes.push(follower);
      servers.push(follower);
    }
    const sentinels = await Promise.all(
      Array.from({ length: SENTINELS }, () => startOne(binary, { master: port, downAfterMs, tls })),
    );
    servers.push(...sentinels);
    await until(async () =>
      (await told({ ...nodes[0], ...own }, 'INFO')).includes(`connected_slaves:${replicas}`),
    );
    for (const sentinel of sentinels)
      await until(async () => {
        const facts = await told({ ...sentinel, ...own }, 'SENTINEL', 'MASTER', NAME);
        const fact = (name) => facts[facts.indexOf(name) + 1];
        return (
          fact('num-other-sentinels') === String(SENTINELS - 1) &&
          fact('num-slaves') === String(replicas)
        );
      });
    const hosts = sentinels.map((sentinel) => ({ host: '127.0.0.1', port: sentinel.port }));
    return { nodes, sentinels, connection: { sentinels: hosts, name: NAME }, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function startOne(binary, { master, downAfterMs, tls }) {
  return startPrivateServer({
    name: 'Sentinel',
    env: binary.env,
    isUp: (port, dir) => ping(tls ? join(dir, tls.socket) : port),
    prepare: ({ port, dir }) => {
      const file = join(dir, 'sentinel.conf');
      const lines = [
        ...[`port ${port}`, 'bind 127.0.0.1', `dir ${dir}`],
        ...(tls ? [`unixsocket ${join(dir, tls.socket)}`, ...asLines(tls.args(port))] : []),
        `sentinel monitor ${NAME} 127.0.0.1 ${master} 2`,
        `sentinel down-after-milliseconds ${NAME} ${downAfterMs}`,
        `sentinel failover-timeout ${NAME} 5000`,
      ];
      writeFileSync(file, `${lines.join('\n')}\n`);
      return [binary.bin, file, '--sentinel'];
    },
  });
}

/** Arguments of a command line as lines of a file. */
function asLines(args) {
  return args.join(' ').split(/ ?--/).filter(Boolean);
}

async function told({ port, dir, socket }, ...command) {
  const where = socket ? { path: join(dir, socket) } : { port, host: '127.0.0.1' };
  const redis = new Redis({ ...where, enableReadyCheck: false });
  redis.on('error', () => {}); // it is asked again until the time is up
  try {
    return await redis.call(...command);
  } finally {
    redis.disconnect();
  }
}

async function until(holds) {
  const giveUpAt = performance.now() + READY_WITHIN_MS;
  while (!(await holds())) {
    if (performance.now() > giveUpAt)
      throw new Error(`The Sentinels did not know of each other within ${READY_WITHIN_MS} ms`);
    await sleep(50);
  }
}
