import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The first step of `npm start` and others. */
const FIRST_STEP = fileURLToPath(new URL('../../tools/build-if-stale.mjs', import.meta.url));

it('A checkout in which nothing is installed says what to do', () => {
  const cwd = mkdtempSync(join(tmpdir(), 'rivulet-bare-'));
  try {
    const { status, stderr } = spawnSync(process.execPath, [FIRST_STEP], { cwd, encoding: 'utf8' });
    expect(stderr).toBe('What this needs is not installed here. Run `npm ci` first.\n');
    expect(status).toBe(1);
  } finally {
    rmSync(cwd, { recursive: true });
  }
});
