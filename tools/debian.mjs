// On Debian and Ubuntu: the distribution's own signed packages, unpacked into a cache folder. Installs nothing, needs no root.
import { execFileSync } from 'node:child_process';
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

// Root has servers run by somebody else, who may look neither into root's home nor into a private XDG_CACHE_HOME.
const caches =
  process.getuid?.() === 0
    ? '/var/cache'
    : (process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'));
export const CACHE = process.env.RIVULET_CACHE ?? join(caches, 'nestjs-rivulet');

const say = (message) => process.stderr.write(`[apt] ${message}\n`);

/**
 * Unpacks the first of these packages that there is, with what it depends on, into `folder`. Tells on stderr why it did
 * not; the folder is missing then. Takes some seconds.
 *
 * @param suite  Of Debian, when it is not this machine's: everything comes from there, down to the C library.
 * @param without  Matches the files of packages that are not needed.
 */
export function unpackPackage(names, folder, { suite, without } = {}) {
  if (process.platform !== 'linux' || !existsSync('/usr/bin/apt-get')) return;
  if (process.env.RIVULET_NO_DOWNLOAD) return;
  const mirror = suite && debianMirror();
  if (suite && !mirror) return say(`no source of Debian here: no ${names[0]}`);
  say(
    `unpacking ${names[0]} of ${suite ? `Debian ${suite}` : 'this distribution'} into ${folder} (no root, once)`,
  );

  // Each process works in its own folder and renames it into place: two of them may come here at once.
  const work = join(CACHE, `unpacking-${process.pid}`);
  const [lists, archives, root] = ['lists', 'archives', 'root'].map((name) => join(work, name));
  for (const path of [join(lists, 'partial'), join(archives, 'partial'), root])
    mkdirSync(path, { recursive: true });
  const options = [
    `Dir::State::lists=${lists}`,
    `Dir::Cache::archives=${archives}`,
    'Dir::Cache::pkgcache=',
    'Dir::Cache::srcpkgcache=',
    'Debug::NoLocking=1',
    ...(suite ? onlyFrom({ mirror, suite, work }) : []),
  ].flatMap((option) => ['-o', option]);
  const run = (command, ...args) =>
    execFileSync(command, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  const apt = (...args) => run('apt-get', '-q=2', ...options, ...args);

  try {
    apt('update');
    downloadFirst(names, (name) =>
      apt('install', '-y', '--no-install-recommends', '--download-only', name),
    );
    for (const file of readdirSync(archives).filter(
      (name) => name.endsWith('.deb') && !without?.test(name),
    ))
      run('dpkg-deb', '-x', join(archives, file), root);
    if (!existsSync(folder)) renameSync(root, folder);
  } catch (error) {
    sayWhy(error);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Where this machine gets its Debian packages; undefined on another distribution. */
function debianMirror() {
  const format = '$(ORIGIN) $(LABEL) $(REPO_URI)';
  const listed = execFileSync(
    'apt-get',
    ['indextargets', '--format', format, 'Created-By: Packages'],
    { encoding: 'utf8' },
  );
  return /^Debian Debian (\S+)$/m.exec(listed)?.[1];
}

/** Another suite, whose signature is checked as ever, for a machine on which nothing is installed. */
function onlyFrom({ mirror, suite, work }) {
  const [sources, status] = ['sources.list', 'status'].map((name) => join(work, name));
  const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg';
  writeFileSync(sources, `deb [signed-by=${keyring}] ${mirror} ${suite} main\n`);
  writeFileSync(status, '');
  return [
    `Dir::Etc::sourcelist=${sources}`,
    'Dir::Etc::sourceparts=/dev/null',
    `Dir::State::status=${status}`,
  ];
}

/** What LD_LIBRARY_PATH must be for programs that were unpacked there. */
export function libraryPath(folder) {
  return ['usr/lib', 'lib']
    .map((name) => join(folder, name))
    .filter((path) => existsSync(path))
    .flatMap((path) =>
      readdirSync(path)
        .filter((name) => name.includes('-linux-'))
        .map((name) => join(path, name)),
    )
    .join(':');
}

export function executable(file) {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function downloadFirst([name, ...others], download) {
  try {
    download(name);
  } catch (error) {
    if (others.length === 0) throw error;
    sayWhy(error);
    downloadFirst(others, download);
  }
}

function sayWhy({ stderr, message }) {
  say(`${/^E: .*/m.exec(stderr?.toString() ?? '')?.[0] ?? message}`);
}
