// node tools/prisma-clients.mjs: makes test/participants/generated anew, after another version of @prisma/client.
// Prisma's client is generated code. The generator is not among what `npm ci` installs: with it come 230 MB, and the
// download of an engine that no driver adapter needs. Of what it writes, the file that runs is kept; its types of the
// model are not.
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const KEPT = new URL('../test/participants/generated/', import.meta.url).pathname;
const PROVIDERS = ['postgresql', 'mysql'];

const schema = (provider) => `generator client {
  provider     = "prisma-client"
  output       = "./${provider}"
  moduleFormat = "esm"
  runtime      = "nodejs"
}

datasource db {
  provider = "${provider}"
}

model Order {
  id String @id

  @@map("orders")
}
`;
const CONFIG = `import { defineConfig } from 'prisma/config';
export default defineConfig({ schema: 'schema.prisma' });
`;
/** Nothing asks for the engine that migrates: any program stands in for it. */
const WITHOUT_ENGINE = {
  PRISMA_SCHEMA_ENGINE_BINARY: '/bin/true',
  PRISMA_ENGINES_CHECKSUM_IGNORE_MISSING: '1',
};

const { devDependencies } = JSON.parse(readFileSync('package.json', 'utf8'));
const work = mkdtempSync(join(tmpdir(), 'rivulet-prisma-'));
const run = (program, ...args) =>
  execFileSync(program, args, {
    cwd: work,
    stdio: 'inherit',
    env: { ...process.env, ...WITHOUT_ENGINE },
  });
try {
  writeFileSync(join(work, 'package.json'), '{ "private": true }');
  writeFileSync(join(work, 'prisma.config.mjs'), CONFIG);
  run('npm', 'install', '--ignore-scripts', `prisma@${devDependencies['@prisma/client']}`);
  mkdirSync(KEPT, { recursive: true });
  for (const provider of PROVIDERS) {
    writeFileSync(join(work, 'schema.prisma'), schema(provider));
    run('npx', 'prisma', 'generate');
    copyFileSync(join(work, provider, 'internal/class.ts'), join(KEPT, `prisma-${provider}.ts`));
  }
} finally {
  rmSync(work, { recursive: true });
}
