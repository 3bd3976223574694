// A private PostgreSQL: 127.0.0.1 only, own port, own folder, gone when the process that started it is gone.
import { execFile, execFileSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { CACHE, executable, libraryPath, unpackPackage } from '../debian.mjs';
import { startPrivateServer } from '../private-server.mjs';

const UNPACKED = join(CACHE, 'postgresql');
const HOMES = [
  '/usr/lib/postgresql',
  '/opt/homebrew/opt/postgresql/bin',
  '/usr/local/bin',
  '/usr/bin',
];

export const HOW_TO_INSTALL_POSTGRES =
  process.platform === 'darwin' ? 'brew install postgresql' : 'install postgresql';

/** { bin: folder of `initdb` and `postgres`, env, version }, or undefined. */
export function findPostgres() {
  if (process.env.PG_BIN) {
    const found = usable(process.env.PG_BIN);
    if (!found)
      throw new Error(`PG_BIN is no folder of PostgreSQL's programs: ${process.env.PG_BIN}`);
    return found;
  }
  return first(HOMES) ?? unpackedEarlier() ?? fromApt();
}

const unpackedEarlier = () =>
  first([join(UNPACKED, 'usr/lib/postgresql')], { LD_LIBRARY_PATH: libraryPath(UNPACKED) });

function fromApt() {
  if (existsSync(UNPACKED)) return undefined;
  unpackPackage(['postgresql'], UNPACKED);
  return unpackedEarlier();
}

/** Debian keeps each version in a folder of its own: the newest. */
function first(homes, env) {
  const folders = homes.flatMap((home) => [
    home,
    ...(existsSync(home) ? readdirSync(home) : [])
      .filter((name) => /^\d+$/.test(name))
      .sort((a, b) => Number(b) - Number(a))
      .map((version) => join(home, version, 'bin')),
  ]);
  for (const folder of folders) {
    const found = usable(folder, env);
    if (found) return found;
  }
  return undefined;
}

function usable(bin, env = {}) {
  if (!executable(join(bin, 'postgres')) || !executable(join(bin, 'initdb'))) return undefined;
  const options = { env: { ...process.env, ...env }, encoding: 'utf8' };
  const version = execFileSync(join(bin, 'postgres'), ['--version'], options);
  return { bin, env, version: version.trim().replace(/^postgres \((.*?)\)/, '$1') };
}

/**
 * Start a private server. It ends with this process, even after kill -9. It does not wait for the disk: a crash of the
 * server loses nothing, one of the machine would.
 *
 * @param args More server arguments, as `-c name=value`; they win over ours.
 */
export async function startPostgres(binary, { args = [] } = {}) {
  // It refuses to run as root; any other user will do, and need not exist.
  const user = process.getuid() === 0 ? { uid: 65_534, gid: 65_534 } : {};
  const urlAt = (port) => `postgres://rivulet@127.0.0.1:${port}/postgres`;
  const server = await startPrivateServer({
    name: 'PostgreSQL',
    env: binary.env,
    user,
    stopSignal: 'SIGINT', // SIGTERM would wait for clients to go
    isUp: (port) => answers(urlAt(port)),
    async prepare({ port, dir }) {
      const data = join(dir, 'data');
      await promisify(execFile)(
        join(binary.bin, 'initdb'),
        [...['-D', data, '-U', 'rivulet', '-A', 'trust', '-E', 'UTF8'], '--locale=C', '--no-sync'],
        { ...user, env: { ...process.env, ...binary.env }, cwd: dir },
      );
      return [
        join(binary.bin, 'postgres'),
        ...['-D', data, '-h', '127.0.0.1', '-p', String(port)],
        ...[
          'unix_socket_directories=',
          'fsync=off',
          'max_connections=200',
          'shared_buffers=32MB',
        ].flatMap((setting) => ['-c', setting]),
        ...args,
      ];
    },
  });
  return Object.assign(server, { url: urlAt(server.port) });
}

async function answers(connectionString) {
  const client = new pg.Client({ connectionString, connectionTimeoutMillis: 500 });
  client.on('error', () => {}); // it may break off while starting; the answer is "no" all the same
  try {
    await client.connect();
    return true;
  } catch {
    return false;
  } finally {
    await client.end().catch(() => {});
  }
}
