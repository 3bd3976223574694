// Finds a redis-server (or valkey-server) to run privately. Order: REDIS_BIN; PATH and the usual folders; the copy
// unpacked earlier; on Debian and Ubuntu, the distribution's own signed package, unpacked into a cache folder (no root).
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { CACHE, executable, libraryPath, unpackPackage } from '../debian.mjs';
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
  const binaries = NAMES.map((name) => join(UNPACKED, 'usr/bin', name));
  return firstUsable(binaries, { LD_LIBRARY_PATH: libraryPath(UNPACKED) });
}

function fromApt() {
  if (existsSync(UNPACKED)) return undefined;
  unpackPackage(['redis-server', 'valkey-server'], UNPACKED);
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
