import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';

/** What is of its own in there: `mount` file systems, `net` interfaces and addresses. */
type Kind = 'mount' | 'net';
const FLAGS = { mount: 'm', net: 'n' };

/**
 * A part of the machine with file systems or a network of its own, in which this user is root: what is done to it, the
 * rest does not see. It stands as long as its keeper lives, a shell that reads what only we can write: it ends with us.
 */
export class Namespace {
  private constructor(
    private readonly keeper: ChildProcess,
    /** The beginning of a command that runs in it. */
    readonly enter: string[],
  ) {}

  /** Whether this machine can: Linux that lets users have namespaces. Where not, such tests are skipped, and counted as that. */
  static isHad(kind: Kind): boolean {
    return spawnSync('unshare', [`-r${FLAGS[kind]}`, 'true'], { stdio: 'ignore' }).status === 0;
  }

  static open(kind: Kind): Promise<Namespace> {
    return Namespace.keep(kind, ['unshare', `-r${FLAGS[kind]}`]);
  }

  /** One beside it, with the same users: what is root here may join the two. */
  openAnother(kind: Kind): Promise<Namespace> {
    return Namespace.keep(kind, [...this.enter, 'unshare', `-${FLAGS[kind]}`]);
  }

  private static async keep(kind: Kind, [program, ...args]: string[]): Promise<Namespace> {
    const keeper = spawn(program!, [...args, 'sh', '-c', 'echo ready; read -r end'], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    await Promise.race([
      once(keeper.stdout, 'data'),
      once(keeper, 'exit').then(() => Promise.reject(new Error('unshare did not work here'))),
    ]);
    const enter = ['nsenter', '-t', String(keeper.pid), '-U', '--preserve-credentials'];
    return new Namespace(keeper, [...enter, `-${FLAGS[kind]}`, '--']);
  }

  get pid(): number {
    return this.keeper.pid!;
  }

  /** Runs a shell's command in it. @throws what it said when it fails. */
  run(command: string): string {
    const [program, ...args] = [...this.enter, 'sh', '-ec', command];
    const { status, stdout, stderr } = spawnSync(program!, args, { encoding: 'utf8' });
    if (status !== 0) throw new Error(`${command}: ${stderr}`);
    return stdout;
  }

  /** What still runs in it goes on. */
  async close(): Promise<void> {
    const gone = once(this.keeper, 'exit');
    this.keeper.stdin!.end('end\n');
    await gone;
  }
}

/** `describe` where such a namespace can be had. */
export function describeWithNamespace(kind: Kind): typeof describe {
  return (Namespace.isHad(kind) ? describe : describe.skip) as typeof describe;
}
