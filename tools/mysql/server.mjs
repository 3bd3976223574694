// A private MySQL: 127.0.0.1 only, own port, own folder, gone when the process that started it is gone.
import { execFile, execFileSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { CACHE, executable, libraryPath, unpackPackage } from '../debian.mjs';
import { launchMysql } from './launch.mjs';

const UNPACKED = join(CACHE, 'mysql');
/** Folders that hold both `sbin/mysqld` or `bin/mysqld` and `share/`. */
const HOMES = ['/usr', '/usr/local', '/usr/local/mysql', '/opt/homebrew/opt/mysql'];

export const HOW_TO_INSTALL_MYSQL =
  process.platform === 'darwin' ? 'brew install mysql' : 'install mysql-server (no MariaDB)';

/** { home, command, share, bin, version }, or undefined. */
export function findMysql() {
  if (process.env.MYSQL_HOME) {
    const found = usable(process.env.MYSQL_HOME);
    if (!found) throw new Error(`MYSQL_HOME holds no MySQL server: ${process.env.MYSQL_HOME}`);
    return found;
  }
  return HOMES.map((home) => usable(home)).find(Boolean) ?? unpackedEarlier() ?? fromDebian();
}

/** It comes with a C library newer than this machine's, and so with a loader of its own. */
function unpackedEarlier() {
  const libraries = libraryPath(UNPACKED);
  const loader = libraries
    .split(':')
    .filter((folder) => folder !== '')
    .flatMap((folder) => readdirSync(folder).map((name) => join(folder, name)))
    .find((file) => /\/ld-linux[^/]*\.so\.\d+$/.test(file));
  return loader && usable(join(UNPACKED, 'usr'), [loader, '--library-path', libraries]);
}

/** Debian has MySQL in its unstable suite only. */
function fromDebian() {
  if (existsSync(UNPACKED)) return undefined;
  unpackPackage(['mysql-server-core'], UNPACKED, { suite: 'sid', without: /^(lib)?perl/ });
  return unpackedEarlier();
}

function usable(home, loader = []) {
  const bin = ['sbin', 'bin'].map((folder) => join(home, folder, 'mysqld')).find(executable);
  const share = ['share/mysql', 'share']
    .map((folder) => join(home, folder))
    .find((folder) => existsSync(join(folder, 'charsets')));
  if (!bin || !share) return undefined;
  const command = [...loader, bin];
  // Some systems call MariaDB so, and one that was unpacked may lack a library.
  const version = versionOf(command);
  return version && { home, command, share, bin, version };
}

function versionOf([program, ...args]) {
  try {
    const said = execFileSync(program, [...args, '--version'], { encoding: 'utf8', stdio: 'pipe' });
    const number = /Ver (\d[\d.]*)/.exec(said)?.[1];
    return number && !said.includes('MariaDB') ? `MySQL ${number}` : undefined;
  } catch (error) {
    process.stderr.write(`[mysql] not usable: ${error.stderr || error.message}\n`);
    return undefined;
  }
}

/**
 * Start a private server. It ends with this process, even after kill -9. It does not wait for the disk: a crash of the
 * server loses nothing, one of the machine would.
 */
export async function startMysql({ command, home, share }, { args = [] } = {}) {
  return launchMysql({
    name: 'MySQL',
    args,
    async makeData({ data, dir, user }) {
      const server = [
        ...[...command, '--no-defaults', `--basedir=${home}`, `--datadir=${data}`],
        ...[`--lc-messages-dir=${share}`, `--character-sets-dir=${join(share, 'charsets')}`],
        ...[`--tmpdir=${dir}`, '--secure-file-priv=NULL', `--pid-file=${join(data, 'pid')}`],
        ...['--innodb-flush-log-at-trx-commit=2', '--innodb-buffer-pool-size=32M'],
        ...['--innodb-redo-log-capacity=16M', '--skip-log-bin', '--performance-schema=OFF'],
      ];
      const [program, ...bootstrap] = [...server, '--initialize-insecure'];
      await promisify(execFile)(program, bootstrap, { ...user, cwd: dir });
      return [...server, '--mysqlx=OFF'];
    },
  });
}
