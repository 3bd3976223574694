// What a user installs is what we tested: packs the library, lints the tarball, installs it into an empty folder, loads
// it with `import` and `require`, and compiles test/pack against its types. Needs no network: the peers are links.
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { LOCAL_LINK, pack, pagesIn } from './pack.mjs';

const manifest = JSON.parse(readFileSync('package.json', 'utf8'));
const work = mkdtempSync(join(tmpdir(), 'rivulet-pack-'));
const app = join(work, 'app');

process.on('exit', () => rmSync(work, { recursive: true, force: true }));

/** A command that fails has said why: end as it did. */
function run(command, args, options = {}) {
  const { status, stdout } = spawnSync(command, args, { stdio: 'inherit', ...options });
  if (status !== 0) process.exit(status ?? 1);
  return stdout?.toString();
}

const npm = (...args) => run('npm', args, { stdio: ['ignore', 'pipe', 'inherit'] });

run('node', ['tools/build-if-stale.mjs']);
const { tarball, paths } = pack(work);
holdsWhatItShould(paths);
run('npx', ['publint', 'run', tarball, '--strict']);
run('npx', [
  'attw',
  tarball,
  '--profile',
  'esm-only',
  '--no-definitely-typed',
  '--format',
  'ascii',
]);
installInto(app);
offersNothingToRun(join(app, 'node_modules', manifest.name, 'package.json'));
linksToItselfOnly(join(app, 'node_modules', manifest.name));
fitsIntoBundles(join(app, 'node_modules', manifest.name, 'dist'));
isReadByOlderTypes(join(app, 'node_modules', manifest.name, 'dist'));
linkPeers(app, (peer) => !manifest.peerDependenciesMeta[peer]?.optional);
run('node', ['load.mjs'], { cwd: app });
linkPeers(app, (peer) => manifest.peerDependenciesMeta[peer]?.optional);
run('node', ['load.mjs', '--with-peers'], { cwd: app });
for (const project of [app, join(app, 'participants')])
  run(resolve('node_modules/.bin/tsc'), ['--project', project]);

function holdsWhatItShould(packed) {
  const scripts = readdirSync('lib', { recursive: true }).filter((path) => path.endsWith('.lua'));
  const required = ['LICENSE', 'README.md', ...scripts.map((path) => join('dist', path))];
  const missing = required.filter((path) => !packed.includes(path));
  if (missing.length > 0) throw new Error(`The tarball lacks ${missing.join(', ')}`);

  const stray = packed.filter(
    (path) => !/^((dist|docs|sample)\/|package\.json|README|LICENSE|CHANGELOG)/.test(path),
  );
  if (stray.length > 0) throw new Error(`The tarball should not hold ${stray.join(', ')}`);
}

/** Scripts of this repository need its tools; those that npm runs by itself would fail. */
function offersNothingToRun(path) {
  const { scripts, devDependencies } = JSON.parse(readFileSync(path, 'utf8'));
  if (scripts ?? devDependencies)
    throw new Error('The packed manifest names scripts or devDependencies');
}

/** Whoever reads the pages has only the package. */
function linksToItselfOnly(folder) {
  const dead = pagesIn(folder).flatMap((page) =>
    [...readFileSync(join(folder, page), 'utf8').matchAll(LOCAL_LINK)]
      .map(([, , target]) => target)
      .filter((target) => !existsSync(join(folder, dirname(page), target)))
      .map((target) => `${page}: ${target}`),
  );
  if (dead.length > 0)
    throw new Error(`Links that lead nowhere in the package: ${dead.join(', ')}`);
}

/** A bundler carries code only, and to CommonJS no `import.meta`: nothing may be read from beside the code. */
function fitsIntoBundles(dist) {
  const reads = readdirSync(dist, { recursive: true })
    .filter((path) => path.endsWith('.js'))
    .filter((path) => /import\.meta|node:fs/.test(readFileSync(join(dist, path), 'utf8')));
  if (reads.length > 0) throw new Error(`Modules that no bundle can hold: ${reads.join(', ')}`);
}

/** `Buffer` takes a parameter with the types of Node for TypeScript 5.7 and later only; the compiler writes one unasked. */
function isReadByOlderTypes(dist) {
  const newer = readdirSync(dist, { recursive: true })
    .filter((path) => path.endsWith('.d.ts'))
    .filter((path) => /\b(Buffer|Uint8Array)</.test(readFileSync(join(dist, path), 'utf8')));
  if (newer.length > 0)
    throw new Error(`Types that TypeScript 5.4 cannot read: ${newer.join(', ')}`);
}

/** As a user would, but for what the library needs: npm would ask the registry for it. */
function installInto(folder) {
  mkdirSync(folder);
  cpSync('test/pack', folder, { recursive: true });
  const overrides = Object.fromEntries(
    Object.keys(manifest.dependencies).map((name) => [
      name,
      `file:${resolve('node_modules', name)}`,
    ]),
  );
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true, overrides }));
  npm('install', '--silent', '--offline', '--legacy-peer-deps', '--prefix', folder, tarball);
}

function linkPeers(folder, isWanted) {
  const types = Object.keys(manifest.devDependencies).filter((name) => name.startsWith('@types/'));
  for (const peer of [...Object.keys(manifest.peerDependencies).filter(isWanted), ...types]) {
    const link = join(folder, 'node_modules', peer);
    if (existsSync(link)) continue;
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(resolve('node_modules', peer), link);
  }
}
