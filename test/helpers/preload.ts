import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** A library in C (test/faults/preload) that changes what the system tells a process: its disk, its clock. */
export class Preload {
  private constructor(
    private readonly folder: string,
    /** What the process must be started with. */
    readonly env: Record<string, string>,
  ) {}

  /** Whether this machine can: Linux with a C compiler. Where it cannot, such tests are skipped, and counted as that. */
  static readonly isHad =
    process.platform === 'linux' &&
    spawnSync('cc', ['--version'], { stdio: 'ignore' }).status === 0;

  /** @throws what the compiler said. */
  static compile(name: 'disk' | 'clock'): Preload {
    const folder = mkdtempSync(join(tmpdir(), 'rivulet-preload-'));
    const library = join(folder, `${name}.so`);
    const source = fileURLToPath(new URL(`../faults/preload/${name}.c`, import.meta.url));
    const { status, stderr } = spawnSync('cc', [
      ...['-shared', '-fPIC', '-O2', '-Wall', '-Werror', '-o', library],
      ...[source, '-ldl'],
    ]);
    if (status !== 0) throw new Error(`cc ${name}.c: ${stderr.toString()}`);
    return new Preload(folder, { LD_PRELOAD: library });
  }

  /** A path for what the library writes or reads; gone with it. */
  file(name: string): string {
    return join(this.folder, name);
  }

  remove(): void {
    rmSync(this.folder, { recursive: true });
  }
}

/** `describe` where it can be had. */
export const describeWithPreload = (Preload.isHad ? describe : describe.skip) as typeof describe;
