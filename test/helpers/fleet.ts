import { type ChildProcess, fork } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { type Answer, History } from './history.js';

/** What a consumer program tells. */
export interface Told {
  ready?: true;
  started?: string;
  handled?: string;
  /** Dedup key of a message that was handled before. */
  duplicate?: string;
  /** The reason. */
  deadLettered?: string;
  attempt?: number;
  /** Whether the signal of what was handled had aborted. */
  aborted?: boolean;
  /** Key of a settle that came too late. */
  refused?: string;
  /** Key of a message that is being sent, and of one whose send was answered. */
  sending?: string;
  /** Its place among others that must keep their order. */
  lane?: string;
  seq?: number;
  answered?: string;
  answer?: Answer;
  /** When it was, by the monotonic clock of the machine: what is told may arrive late. */
  atMs?: number;
  /** An event of the library, in the words of the program. */
  event?: string;
}

const fleets: Fleet[] = [];
// A test that fails leaves them as they are, frozen ones, too.
afterEach(() => {
  for (const fleet of fleets.splice(0)) fleet.end();
});

/** Processes running one program, started and killed by a test; they end with it. */
export class Fleet {
  /** Which attempt each start of a message was. */
  readonly started = new Map<string, number[]>();
  readonly handled = new Map<string, number>();
  readonly duplicates = new Map<string, number>();
  /** Reasons of dead letters. */
  readonly deadLettered: string[] = [];
  /** Keys of settles that came too late. */
  readonly refused: string[] = [];
  /** Keys of what was handled although its signal had aborted. */
  readonly handledInVain: string[] = [];
  /** Of sends and of what was handled; fleets may share one. */
  readonly history: History;
  /** All that was told, of each process in its order. */
  readonly log: { pid: number; told: Told }[] = [];
  kills = 0;
  /** Highest attempt that was told, by message. */
  private readonly attempts = new Map<string, number>();
  private readonly program: URL;
  private readonly args: string[];
  private readonly stderr: 'inherit' | 'ignore';
  private readonly env: Record<string, string>;
  private readonly through: string[];
  private readonly living = new Set<ChildProcess>();
  private readonly news = new EventEmitter();

  /**
   * @param options.stderr `ignore` for programs that are meant to crash. Default `inherit`.
   * @param options.through The beginning of a command that becomes the program at its end, as `nsenter` does.
   */
  constructor(options: {
    program: URL;
    args: string[];
    stderr?: 'inherit' | 'ignore';
    history?: History;
    env?: Record<string, string>;
    through?: string[];
  }) {
    this.history = options.history ?? new History();
    this.program = options.program;
    this.args = options.args;
    this.stderr = options.stderr ?? 'inherit';
    this.env = options.env ?? {};
    this.through = options.through ?? [];
    fleets.push(this);
  }

  /** Attempts that were counted and did not end in a settled message. */
  get attemptsLost(): number {
    return [...this.attempts.values()].reduce((sum, attempt) => sum + attempt - 1, 0);
  }

  get size(): number {
    return this.living.size;
  }

  get pids(): number[] {
    return [...this.living].map(({ pid }) => pid!);
  }

  /** Resolves once the process consumes. */
  async launch(): Promise<ChildProcess> {
    const [execPath, ...execArgv] = [...this.through, process.execPath];
    const child = fork(this.program, this.args, {
      ...{ execPath: execPath!, execArgv, env: { ...process.env, ...this.env } },
      stdio: ['ignore', 'inherit', this.stderr, 'ipc'],
    });
    this.living.add(child);
    child.on('exit', () => {
      this.living.delete(child);
      this.news.emit('change');
    });
    await new Promise<void>((resolve, reject) => {
      child.once('exit', () => reject(new Error('the program ended before it was ready')));
      child.on('message', (told: Told) => {
        this.log.push({ pid: child.pid!, told });
        if (told.ready) resolve();
        else this.note(told);
      });
    });
    return child;
  }

  /** kill -9 one of them, whichever it is. Resolves when it is gone. */
  async killOne(random: () => number): Promise<void> {
    const victims = [...this.living];
    const victim = victims[Math.floor(random() * victims.length)];
    if (!victim) return;
    this.kills += 1;
    victim.kill('SIGKILL');
    if (victim.exitCode === null && victim.signalCode === null) await once(victim, 'exit');
  }

  /** Resolves when so many different messages were handled. */
  async whenHandled(messages: number): Promise<void> {
    while (this.handled.size < messages) await this.change();
  }

  /** Resolves when so many different messages were recognised as handled before. */
  async whenDuplicates(messages: number): Promise<void> {
    while (this.duplicates.size < messages) await this.change();
  }

  /** Resolves when this process has told of the event. */
  async whenEvent({ pid }: ChildProcess, event: string): Promise<void> {
    while (!this.log.some((each) => each.pid === pid && each.told.event === event))
      await this.change();
  }

  /** Resolves when one of them tells something, or ends. */
  async change(): Promise<void> {
    await once(this.news, 'change');
  }

  /** kill -9 of all that are left. */
  end(): void {
    for (const child of this.living) child.kill('SIGKILL');
  }

  async stop(): Promise<void> {
    await Promise.all(
      [...this.living].map(async (child) => {
        child.kill('SIGTERM');
        await once(child, 'exit');
      }),
    );
  }

  private note(told: Told): void {
    const { started, handled, duplicate, attempt = 1 } = told;
    if (told.deadLettered !== undefined) this.deadLettered.push(told.deadLettered);
    if (told.refused !== undefined) this.refused.push(told.refused);
    if (told.sending !== undefined) this.history.sent(told.sending, told);
    if (told.answered !== undefined) this.history.answered(told.answered, told.answer!);
    if (started !== undefined)
      this.started.set(started, [...(this.started.get(started) ?? []), attempt]);
    if (told.aborted) this.handledInVain.push(handled!);
    else if (handled !== undefined) this.noteHandled(handled);
    if (duplicate !== undefined)
      this.duplicates.set(duplicate, (this.duplicates.get(duplicate) ?? 0) + 1);
    const message = started ?? handled;
    if (message !== undefined)
      this.attempts.set(message, Math.max(this.attempts.get(message) ?? 1, attempt));
    this.news.emit('change');
  }

  private noteHandled(key: string): void {
    this.handled.set(key, (this.handled.get(key) ?? 0) + 1);
    this.history.handled(key);
  }
}
