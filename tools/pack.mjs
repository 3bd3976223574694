// The tarball that is published, and that check:package and test:compat install. Its manifest lacks what only this
// repository can use: scripts (npm would offer them to users, and run some), devDependencies and overrides.
//   node tools/pack.mjs [folder]     then: npm publish <the file it names>
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
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

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [folder = '.'] = process.argv.slice(2);
  console.log(pack(folder).tarball);
}
