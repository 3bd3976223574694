// The tarball that is published, and that check:package and test:compat install. Its manifest lacks what only this
// repository can use: scripts (npm would offer them to users, and run some), devDependencies and overrides.
//   node tools/pack.mjs [folder]     then: npm publish <the file it names>
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const ALWAYS = ['README.md', 'LICENSE', 'CHANGELOG.md'];

/** Of what is in dist now. Answers the path of the tarball and the paths in it. */
export function pack(folder) {
  const manifest = JSON.parse(readFileSync('package.json', 'utf8'));
  for (const field of ['scripts', 'devDependencies', 'overrides']) delete manifest[field];
  const stage = mkdtempSync(join(tmpdir(), 'rivulet-stage-'));
  try {
    for (const path of [...ALWAYS, ...manifest.files])
      cpSync(path, join(stage, path), { recursive: true });
    for (const page of pagesIn(stage)) relink(stage, page);
    writeFileSync(join(stage, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
    const args = ['pack', '--silent', '--json', '--pack-destination', resolve(folder)];
    const { status, stdout, stderr } = spawnSync('npm', args, { cwd: stage, encoding: 'utf8' });
    if (status !== 0) throw new Error(`npm pack failed: ${stderr}${stdout}`);
    const [{ filename, files }] = JSON.parse(stdout);
    return { tarball: join(resolve(folder), filename), paths: files.map(({ path }) => path) };
  } finally {
    rmSync(stage, { recursive: true });
  }
}

/** Every page below a folder, by its path from there. */
export function pagesIn(folder) {
  return readdirSync(folder, { recursive: true })
    .map(String)
    .filter((path) => path.endsWith('.md'));
}

/** A link of a page to a file of its package. Ends before the title and the place in the page. */
export const LOCAL_LINK = /\[([^\]]+)\]\((?!\w+:|#)([^)#\s]+)([^)]*)\)/g;

/**
 * Pages speak of the repository. Of a source file there is its output here; of a test there is nothing, and a link to it
 * becomes its text.
 */
function relink(stage, page) {
  const path = join(stage, page);
  const text = readFileSync(path, 'utf8');
  const relinked = text.replace(LOCAL_LINK, (whole, label, target, rest) => {
    const isThere = (to) => existsSync(join(stage, dirname(page), to));
    if (isThere(target)) return whole;
    const output = target.replace(/\blib\//, 'dist/').replace(/\.ts$/, '.js');
    return isThere(output) ? `[${label}](${output}${rest})` : label;
  });
  writeFileSync(path, relinked);
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [folder = '.'] = process.argv.slice(2);
  console.log(pack(folder).tarball);
}
