import { NEEDED_COMMANDS, OPTIONAL_COMMANDS, type OptionalCommand } from './commands.js';
import type { ScriptHost } from './script.js';
import { scripts } from './scripts.js';
import { serverProblem } from './server-check.js';
import type { Servers } from './servers.js';

/** What is asked of the servers. */
export interface Demands {
  allowEviction: boolean;
  /** A key that may be named in a question about rights. */
  anyKey: string;
}

/** Whether the servers are fit to be used, and what they told of themselves when they were asked. */
export class Fitness {
  private readonly options: {
    target: string;
    servers: Pick<Servers, 'introductions'>;
    /** A cluster was given. */
    isNode: boolean;
    host: ScriptHost;
  };
  private cluster = true;
  private denied: ReadonlySet<string> = new Set(OPTIONAL_COMMANDS);

  constructor(options: Fitness['options']) {
    this.options = options;
  }

  /** Whether keys of several slots may be on several servers. Until `check` has ended they may. */
  get isCluster(): boolean {
    return this.cluster;
  }

  /** Whether the user may run it. Until `check` has ended it may not. */
  may(command: OptionalCommand): boolean {
    return !this.denied.has(command);
  }

  /** Resolves when they are fit: version, role, eviction policy, rights. @throws StoreRefusedError when one is not. */
  async check(demands: Demands): Promise<void> {
    const { target: all, servers, isNode, host } = this.options;
    let info: Readonly<Record<string, string>> = {};
    for (const { target, info: said } of await servers.introductions()) {
      info = said;
      // Valkey calls it by its own name.
      this.cluster = (info['redis_mode'] ?? info['server_mode']) === 'cluster';
      // Before any script: an old server would fail on their first line.
      const unfit = serverProblem({ target, info, missing: [], isNode }, demands);
      if (unfit) throw unfit;
    }
    const denied = (await scripts.checkRights.run(host, {
      keys: { any: demands.anyKey },
      args: {},
      moreArgs: [...NEEDED_COMMANDS, ...OPTIONAL_COMMANDS],
    })) as string[];
    this.denied = new Set(denied);
    const missing = NEEDED_COMMANDS.filter((command) => this.denied.has(command));
    const lacking = serverProblem({ target: all, info, missing, isNode }, demands);
    if (lacking) throw lacking;
  }
}
