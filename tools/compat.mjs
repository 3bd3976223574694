// `npm run test:compat`: the packed library in fresh applications, one for each Nest version and module system it
// promises, each run by every version of Node it promises. Needs the npm registry; not part of npm test.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pack } from './pack.mjs';
import { findRedis, HOW_TO_INSTALL, startRedis } from './with-redis.mjs';

const APPLICATIONS = [
  { nest: 12, type: 'module' },
  { nest: 12, type: 'commonjs' },
  { nest: 11, type: 'module' },
  { nest: 11, type: 'commonjs' },
];

/** Majors beside the one that runs this; their binaries come from the npm package of their platform. */
const OTHER_NODES = [20, 22, 24, 26].filter((major) => !process.version.startsWith(`v${major}.`));

const { devDependencies } = JSON.parse(readFileSync('package.json', 'utf8'));
const work = mkdtempSync(join(tmpdir(), 'rivulet-compat-'));
process.on('exit', () => rmSync(work, { recursive: true, force: true }));

function run(command, args, options) {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8', ...options });
  if (status === 0) return stdout;
  process.stderr.write(`${command} ${args.join(' ')}\n${stdout}${stderr}`);
  process.exit(1);
}

/** As a user would make it; the strictest compiler settings a user may have. */
function build({ nest, type }, tarball) {
  const folder = join(work, `nest-${nest}-${type}`);
  mkdirSync(folder);
  cpSync('test/compat/main.ts', join(folder, 'main.ts'));
  const compilerOptions = {
    target: 'es2023',
    module: 'nodenext',
    strict: true,
    skipLibCheck: false,
    experimentalDecorators: true,
    emitDecoratorMetadata: true,
    types: ['node'],
    outDir: 'out',
    rootDir: '.',
  };
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true, type }));
  writeFileSync(
    join(folder, 'tsconfig.json'),
    JSON.stringify({ compilerOptions, files: ['main.ts'] }),
  );
  const packages = [
    tarball,
    ...['common', 'core', 'microservices'].map((name) => `@nestjs/${name}@${nest}`),
    ...['ioredis@6', 'rxjs@7', 'reflect-metadata@0.2'],
    ...['typescript', '@types/node'].map((name) => `${name}@${devDependencies[name]}`),
  ];
  run('npm', ['install', '--silent', '--prefix', folder, ...packages]);
  run(join(folder, 'node_modules/.bin/tsc'), ['--project', folder]);
  return folder;
}

/** The programs to run it with: this one, and one of each other major. */
function nodes() {
  const folder = join(work, 'nodes');
  const name = `node-${process.platform}-${process.arch}`;
  const installed = OTHER_NODES.map((major) => {
    const prefix = join(folder, String(major));
    mkdirSync(prefix, { recursive: true });
    writeFileSync(join(prefix, 'package.json'), '{ "private": true }');
    run('npm', ['install', '--silent', '--prefix', prefix, `${name}@${major}`]);
    return join(prefix, 'node_modules', name, 'bin/node');
  });
  return [process.execPath, ...installed];
}

async function check(folder, node) {
  const redis = await startRedis(binary, { persistence: 'aof-everysec' });
  const env = { ...process.env, REDIS_URL: redis.url };
  const said = run(node, ['out/main.js'], { cwd: folder, env, timeout: 30_000 }).trim();
  await redis.stop();
  const expected = 'order 17 charged\nUnauthorizedException: no token\nding ding';
  if (said !== expected) throw new Error(`${node} said: ${said}`);
  return said.replaceAll('\n', '; ');
}

const binary = findRedis();
if (!binary) throw new Error(`No Redis found. Set REDIS_BIN, or ${HOW_TO_INSTALL}.`);

run('node', ['tools/build-if-stale.mjs']);
const { tarball } = pack(work);

const programs = nodes();

for (const application of APPLICATIONS) {
  const folder = build(application, tarball);
  for (const node of programs) {
    const version = run(node, ['--version']).trim();
    const said = await check(folder, node);
    console.log(`ok  Nest ${application.nest}, ${application.type}, Node ${version}: ${said}`);
  }
}
