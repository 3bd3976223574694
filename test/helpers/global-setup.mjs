// jest's globalSetup: database servers that all test files of a run share. A server starts when the first file asks for
// it, lives in the process of the run, since workers come and go, and ends with it.
import { once } from 'node:events';
import http from 'node:http';
import { findMariadb, HOW_TO_INSTALL_MARIADB, startMariadb } from '../../tools/mariadb/server.mjs';
import { findMysql, HOW_TO_INSTALL_MYSQL, startMysql } from '../../tools/mysql/server.mjs';
import {
  findPostgres,
  HOW_TO_INSTALL_POSTGRES,
  startPostgres,
} from '../../tools/postgres/server.mjs';
import { startCluster } from '../../tools/redis/cluster.mjs';
import { findRedis, HOW_TO_INSTALL } from '../../tools/with-redis.mjs';
import { leastUser } from './least-user/rights.mjs';

const SERVERS = {
  postgres: {
    name: 'PostgreSQL',
    variable: 'PG_URL',
    find: findPostgres,
    launch: startPostgres,
    help: HOW_TO_INSTALL_POSTGRES,
  },
  mariadb: {
    name: 'MariaDB',
    variable: 'MARIADB_URL',
    find: findMariadb,
    launch: startMariadb,
    help: HOW_TO_INSTALL_MARIADB,
  },
  mysql: {
    name: 'MySQL',
    variable: 'MYSQL_URL',
    find: findMysql,
    launch: startMysql,
    help: HOW_TO_INSTALL_MYSQL,
  },
  mongo: {
    name: 'MongoDB',
    variable: 'MONGO_URL',
    find: () => undefined, // no package registry has a server to unpack
    help: 'start a replica set of MongoDB',
  },
  cluster: {
    name: 'Redis',
    variable: 'CLUSTER_NODES',
    find: findRedis,
    // Nobody breaks its nodes: one that gets no CPU for seconds is not dead.
    launch: (binary) => startCluster(binary, { calmTimeoutMs: 60_000 }),
    help: HOW_TO_INSTALL,
  },
};

async function start({ name, variable, find, launch, help }) {
  const url = process.env[variable];
  if (url) return { url, stop: async () => {} };
  const binary = find();
  if (binary) return launch(binary);
  throw new Error(
    `No ${name} found: set ${variable}, or ${help}. To go without its tests, set RIVULET_WITHOUT.`,
  );
}

/** `npm run test:acl`: every server knows the least user, and the library connects as that user in every process. */
function connectAsLeastUser() {
  const preload = new URL('./least-user/connect.mjs', import.meta.url).href;
  process.env.NODE_OPTIONS = `${process.env.NODE_OPTIONS ?? ''} --import ${preload}`;
  process.env.RIVULET_REDIS_ARGS = JSON.stringify(leastUser());
}

/** Servers of MongoDB come from its makers only: without one of yours its tests are left out, and counted as skipped. */
function goWithoutMongo() {
  if (process.env.MONGO_URL) return;
  console.log(
    '\nNo MongoDB: to test the participant of Mongoose, set MONGO_URL to a replica set that was started with ' +
      '--setParameter transactionLifetimeLimitSeconds=5.',
  );
  process.env.RIVULET_WITHOUT = [process.env.RIVULET_WITHOUT, 'mongo'].filter(Boolean).join(',');
}

export default async function shareServers() {
  goWithoutMongo();
  if (process.env.RIVULET_ACL === '1') connectAsLeastUser();
  const started = new Map();
  const keeper = http.createServer((request, response) => {
    // A connection that is kept may be closed here while the next question is on its way.
    response.setHeader('connection', 'close');
    const name = request.url.slice(1);
    if (!started.has(name)) started.set(name, start(SERVERS[name]));
    started.get(name).then(
      ({ url }) => response.end(url),
      ({ message }) => response.writeHead(503).end(message),
    );
  });
  keeper.listen(0, '127.0.0.1');
  await once(keeper, 'listening');
  process.env.RIVULET_TEST_SERVERS = `http://127.0.0.1:${keeper.address().port}`;

  globalThis.stopSharedServers = async () => {
    keeper.closeAllConnections();
    keeper.close();
    const servers = await Promise.allSettled(started.values());
    await Promise.all(servers.map(({ value }) => value?.stop()));
  };
}
