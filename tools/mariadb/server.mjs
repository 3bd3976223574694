// A private MariaDB: 127.0.0.1 only, own port, own folder, gone when the process that started it is gone.
import { execFile, execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { CACHE, executable, libraryPath, unpackPackage } from '../debian.mjs';
import { launchMysql } from '../mysql/launch.mjs';

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
export async function startMariadb({ home, bin, share, env }, { args = [] } = {}) {
  return launchMysql({
    name: 'MariaDB',
    env,
    args,
    async makeData({ data, dir, user }) {
      const server = [
        ...[bin, '--no-defaults', `--basedir=${home}`, `--datadir=${data}`],
        ...[`--lc-messages-dir=${join(share, 'english')}`, `--tmpdir=${dir}`],
        ...['--innodb-flush-log-at-trx-commit=2', '--innodb-log-file-size=16M'],
        ...['--innodb-buffer-pool-size=32M', '--aria-pagecache-buffer-size=8M'],
      ];
      await bootstrap(server, { share, env, user, cwd: dir });
      return server;
    },
  });
}

/** What `mariadb-install-db` does, without the programs that Debian keeps in other packages. */
async function bootstrap([program, ...args], { share, env, user, cwd }) {
  const running = promisify(execFile)(program, [...args, '--bootstrap'], {
    ...user,
    cwd,
    env: { ...process.env, ...env },
  });
  const sql = SYSTEM_TABLES.map((file) => readFileSync(join(share, file), 'utf8'));
  running.child.stdin.end(['CREATE DATABASE mysql;', 'USE mysql;', ...sql].join('\n'));
  await running;
}
