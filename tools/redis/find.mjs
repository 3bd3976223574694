// Finds a redis-server (or valkey-server) to run privately. Order: REDIS_BIN; PATH and the usual folders; the copy
// unpacked earlier; on Debian and Ubuntu, the distribution's own signed package, unpacked into a cache folder (no root).
import { execFileSync, spawnSync } from 'node:child_process';
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { say } from './say.mjs';

const NAMES = ['redis-server', 'valkey-server'];
const USUAL_FOLDERS = [
  '/usr/bin',
  '/usr/local/bin',
  '/usr/sbin',
  '/opt/homebrew/bin',
  '/opt/homebrew/opt/valkey/bin',
  '/opt/homebrew/opt/redis/bin',
  '/snap/bin',
];
/** Script flags (`#!lua flags=allow-oom`) came with Redis 7.0; Valkey 8 has them too. */
const OLDEST = 7;

const CACHE =
  process.env.RIVULET_CACHE ??
  join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'nestjs-rivulet');
const UNPACKED = join(CACHE, 'root');

/** The server to run, or undefined. Takes some seconds the first time on a Debian or Ubuntu that has none. */
export function findRedis() {
  if (process.env.REDIS_BIN) {
    const binary = usable(process.env.REDIS_BIN);
    if (!binary)
      throw new Error(`REDIS_BIN is not a usable Redis server: ${process.env.REDIS_BIN}`);
    return binary;
  }
  return onThisMachine() ?? unpackedEarlier() ?? fromApt();
}

function onThisMachine() {
  const path = (process.env.PATH ?? '').split(delimiter).filter(Boolean);
  // RIVULET_ONLY_PATH lets one machine try what another, with less installed, would do.
  const folders = process.env.RIVULET_ONLY_PATH ? path : [...path, ...USUAL_FOLDERS];
  return firstUsable(NAMES.flatMap((name) => [...new Set(folders)].map((dir) => join(dir, name))));
}

function unpackedEarlier() {
  const libraries = ['usr/lib', 'lib']
    .map((folder) => join(UNPACKED, folder))
    .filter((folder) => existsSync(folder))
    .flatMap((folder) =>
      readdirSync(folder)
        .filter((name) => name.includes('-linux-'))
        .map((name) => join(folder, name)),
    );
  const binaries = NAMES.map((name) => join(UNPACKED, 'usr/bin', name));
  return firstUsable(binaries, { LD_LIBRARY_PATH: libraries.join(':') });
}

function fromApt() {
  if (process.platform !== 'linux' || !existsSync('/usr/bin/apt-get')) return undefined;
  if (process.env.RIVULET_NO_DOWNLOAD || existsSync(UNPACKED)) return undefined;
  say(`no redis-server found: unpacking this distribution's package into ${CACHE} (no root, once)`);

  // Each process works in its own folder and renames it into place: two of them may come here at once.
  const work = join(CACHE, `unpacking-${process.pid}`);
  const [lists, archives, root] = ['lists', 'archives', 'root'].map((name) => join(work, name));
  for (const folder of [join(lists, 'partial'), join(archives, 'partial'), root])
    mkdirSync(folder, { recursive: true });
  const options = [
    `Dir::State::lists=${lists}`,
    `Dir::Cache::archives=${archives}`,
    'Dir::Cache::pkgcache=',
    'Dir::Cache::srcpkgcache=',
    'Debug::NoLocking=1',
  ].flatMap((option) => ['-o', option]);
  const run = (command, ...args) =>
    execFileSync(command, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  const apt = (...args) => run('apt-get', '-q=2', ...options, ...args);
  const download = (name) =>
    apt('install', '-y', '--no-install-recommends', '--download-only', name);
  const sayWhy = ({ stderr, message }) =>
    say(`apt: ${/^E: .*/m.exec(stderr?.toString() ?? '')?.[0] ?? message}`);

  try {
    apt('update');
    try {
      download('redis-server');
    } catch (error) {
      sayWhy(error);
      download('valkey-server');
    }
    for (const file of readdirSync(archives).filter((name) => name.endsWith('.deb')))
      run('dpkg-deb', '-x', join(archives, file), root);
    if (!existsSync(UNPACKED)) renameSync(root, UNPACKED);
  } catch (error) {
    sayWhy(error);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return unpackedEarlier();
}

function firstUsable(files, env) {
  for (const file of files) {
    const binary = usable(file, env);
    if (binary) return binary;
  }
  return undefined;
}

function usable(bin, env = {}) {
  if (!executable(bin)) return undefined;
  const { stdout } = spawnSync(bin, ['--version'], {
    env: { ...process.env, ...env },
    encoding: 'utf8',
  });
  const [, name, version] = /^(\w+) server v=([\d.]+)/.exec(stdout ?? '') ?? [];
  if (!version) return undefined;
  if (Number.parseInt(version, 10) < OLDEST) {
    say(`passing over ${bin}: it is ${version}, and Rivulet needs ${OLDEST}.0 or later`);
    return undefined;
  }
  return { bin, env, version: `${name} ${version}` };
}

function executable(file) {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
