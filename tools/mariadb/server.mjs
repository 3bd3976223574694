// A private MariaDB: 127.0.0.1 only, own port, own folder, gone when the process that started it is gone.
import { execFile, execFileSync } from 'node:child_process';
import { chownSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import mysql from 'mysql2/promise';
import { CACHE, executable, libraryPath, unpackPackage } from '../debian.mjs';
import { startPrivateServer } from '../private-server.mjs';

const UNPACKED = join(CACHE, 'mariadb');
/** Folders that hold both `sbin/mariadbd` or `bin/mariadbd` and `share/`. */
const HOMES = ['/usr', '/usr/local', '/opt/homebrew/opt/mariadb'];
const SYSTEM_TABLES = [
  'mysql_system_tables.sql',
  'mysql_performance_tables.sql',
  'mysql_system_tables_data.sql',
];

export const HOW_TO_INSTALL_MARIADB =
  process.platform === 'darwin' ? 'brew install mariadb' : 'install mariadb-server';

/** { home, bin, share, env, version }, or undefined. */
export function findMariadb() {
  if (process.env.MARIADB_HOME) {
    const found = usable(process.env.MARIADB_HOME);
    if (!found)
      throw new Error(`MARIADB_HOME holds no MariaDB server: ${process.env.MARIADB_HOME}`);
    return found;
  }
  return HOMES.map((home) => usable(home)).find(Boolean) ?? unpackedEarlier() ?? fromApt();
}

const unpackedEarlier = () =>
  usable(join(UNPACKED, 'usr'), { LD_LIBRARY_PATH: libraryPath(UNPACKED) });

function fromApt() {
  if (existsSync(UNPACKED)) return undefined;
  unpackPackage(['mariadb-server-core'], UNPACKED);
  return unpackedEarlier();
}

function usable(home, env = {}) {
  const bin = ['sbin', 'bin'].map((folder) => join(home, folder, 'mariadbd')).find(executable);
  const share = ['share/mysql', 'share/mariadb']
    .map((folder) => join(home, folder))
    .find((folder) => existsSync(join(folder, SYSTEM_TABLES[0])));
  if (!bin || !share) return undefined;
  const options = { env: { ...process.env, ...env }, encoding: 'utf8' };
  const version = /Ver (\S+)-MariaDB/.exec(execFileSync(bin, ['--version'], options))?.[1];
  return version && { home, bin, share, env, version: `MariaDB ${version}` };
}

/**
 * Start a private server. It ends with this process, even after kill -9. It does not wait for the disk: a crash of the
 * server loses nothing, one of the machine would.
 */
export async function startMariadb(binary, { args = [] } = {}) {
  const user = process.getuid() === 0 ? { uid: 65_534, gid: 65_534 } : {};
  const urlAt = (port) => `mysql://rivulet@127.0.0.1:${port}/mysql`;
  const server = await startPrivateServer({
    name: 'MariaDB',
    env: binary.env,
    user,
    isUp: (port) => answers(urlAt(port)),
    async prepare({ port, dir }) {
      const data = join(dir, 'data');
      mkdirSync(data);
      if (user.uid) chownSync(data, user.uid, user.gid);
      const common = [
        ...['--no-defaults', `--basedir=${binary.home}`, `--datadir=${data}`],
        ...[`--lc-messages-dir=${join(binary.share, 'english')}`, `--tmpdir=${dir}`],
        ...['--innodb-flush-log-at-trx-commit=2', '--innodb-log-file-size=16M'],
        ...['--innodb-buffer-pool-size=32M', '--aria-pagecache-buffer-size=8M'],
      ];
      await bootstrap(binary, { args: common, user, cwd: dir });
      const grants = join(dir, 'grants.sql');
      writeFileSync(
        grants,
        `CREATE USER IF NOT EXISTS 'rivulet'@'127.0.0.1';
        GRANT ALL ON *.* TO 'rivulet'@'127.0.0.1' WITH GRANT OPTION;\n`,
      );
      return [
        ...[binary.bin, ...common, `--port=${port}`, '--bind-address=127.0.0.1'],
        ...[`--socket=${join(dir, 'socket')}`, '--skip-name-resolve', `--init-file=${grants}`],
        ...args,
      ];
    },
  });
  return Object.assign(server, { url: urlAt(server.port) });
}

/** What `mariadb-install-db` does, without the programs that Debian keeps in other packages. */
async function bootstrap({ bin, share, env }, { args, user, cwd }) {
  const running = promisify(execFile)(bin, [...args, '--bootstrap'], {
    ...user,
    cwd,
    env: { ...process.env, ...env },
  });
  const sql = SYSTEM_TABLES.map((file) => readFileSync(join(share, file), 'utf8'));
  running.child.stdin.end(['CREATE DATABASE mysql;', 'USE mysql;', ...sql].join('\n'));
  await running;
}

async function answers(uri) {
  try {
    const connection = await mysql.createConnection({ uri, connectTimeout: 500 });
    connection.destroy();
    return true;
  } catch {
    return false;
  }
}
