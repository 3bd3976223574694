import type { Redis } from 'ioredis';
import { StoreUnavailableError } from '../core/message/errors.js';
import type { StoreHealth, StoreProblem } from '../core/runtime/store-health.js';
import { addressOf } from './cluster-client.js';
import { clusterProblem, type ClusterView } from './cluster-health.js';
import type { ClusterNodes } from './cluster-nodes.js';
import { answer } from './errors.js';
import { parseInfo } from './server-check.js';
import {
  type Expectations,
  problemAt,
  type ServerFacts,
  serverHealth,
  silentProblem,
  worstHealth,
} from './server-health.js';

interface Server {
  readonly redis: Pick<Redis, 'info' | 'config' | 'cluster'>;
  /** For people. */
  readonly target: string;
}

/** The servers that hold data, and what they say of themselves: one, or every primary of a cluster. */
export class Servers {
  private readonly target: string;
  private readonly nodes: ClusterNodes | undefined;
  private readonly one: () => Server['redis'];
  private readonly may: (command: 'CONFIG GET') => boolean;
  /** What nodes said of their cluster when they were asked last. */
  private views: readonly ClusterView[] = [];

  constructor(options: {
    target: string;
    /** Of a cluster; without them it is `one` server. */
    nodes: ClusterNodes | undefined;
    one(): Server['redis'];
    may(command: 'CONFIG GET'): boolean;
  }) {
    this.target = options.target;
    this.nodes = options.nodes;
    this.one = () => options.one();
    this.may = (command) => options.may(command);
  }

  /**
   * INFO of each server. Of a cluster: of the nodes that answer; what they say of its slots is kept for `clusterProblem`.
   *
   * @throws when none answers.
   */
  async introductions(): Promise<Pick<ServerFacts, 'target' | 'info'>[]> {
    const servers = this.all();
    const [said] = await Promise.all([
      Promise.allSettled(
        servers.map(async ({ redis, target }) => ({ target, info: await infoOf(redis) })),
      ),
      // Whoever is connected to a cluster may ask: the ready check of ioredis did.
      this.nodes ? this.look(servers) : undefined,
    ]);
    return this.answers(said);
  }

  /** What each keeps. @throws when one does not answer. */
  facts(): Promise<ServerFacts[]> {
    return Promise.all(this.all().map((server) => this.factsOf(server)));
  }

  /** A node of a cluster that does not answer is a problem like others. @throws when none answers. */
  async health(expected: Expectations): Promise<StoreHealth> {
    const servers = this.all();
    const [said] = await Promise.all([
      Promise.allSettled(servers.map((server) => this.factsOf(server))),
      this.nodes ? this.look(servers) : undefined,
    ]);
    const facts = this.answers(said);
    const health = worstHealth(facts.map((one) => serverHealth(one, expected)));
    const ofCluster = this.clusterProblem();
    const problems = [
      ...(ofCluster ? [ofCluster] : []),
      ...this.silent(facts).map(silentProblem),
      ...health.problems,
    ];
    return { ...health, problems };
  }

  /** Why a part of a cluster, or all of it, serves nobody; by what its nodes said last. */
  clusterProblem(): StoreProblem | undefined {
    const problem = clusterProblem(this.views);
    return problem && problemAt(this.target, problem);
  }

  private all(): Server[] {
    if (!this.nodes) return [{ redis: this.one(), target: this.target }];
    return this.nodes.primaries.map((redis) => ({
      redis,
      target: this.nameOf(addressOf(redis.options)),
    }));
  }

  private nameOf(node: string): string {
    return `${node} of ${this.target}`;
  }

  /** Nodes that have slots, and did not answer or are not connected. */
  private silent(facts: readonly ServerFacts[]): string[] {
    const answered = new Set(facts.map(({ target }) => target));
    const serving = this.nodes?.serving ?? [];
    return serving.map((node) => this.nameOf(node)).filter((target) => !answered.has(target));
  }

  private answers<T>(said: readonly PromiseSettledResult<T>[]): T[] {
    const answers = said.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    if (answers.length > 0) return answers;
    const failed = said.find((one) => one.status === 'rejected');
    throw failed
      ? (failed.reason as Error)
      : new StoreUnavailableError(`No node of ${this.target} is connected`);
  }

  private async look(servers: readonly Server[]): Promise<void> {
    const views = await Promise.all(servers.map(viewOf));
    this.views = views.filter((view) => view !== undefined);
  }

  /** CONFIG is a right that few users have: what it would tell stays unknown then. */
  private async factsOf({ redis, target }: Server): Promise<ServerFacts> {
    const config = async (name: string): Promise<string | undefined> => {
      if (!this.may('CONFIG GET')) return undefined;
      const said = (await redis.config('GET', name).catch(() => [])) as string[];
      return said[1];
    };
    const [info, appendfsync, save] = await Promise.all([
      infoOf(redis),
      config('appendfsync'),
      config('save'),
    ]);
    return { target, info, config: { appendfsync, save } };
  }
}

async function infoOf(redis: Server['redis']): Promise<ServerFacts['info']> {
  return parseInfo(await answer({ operation: 'INFO' }, redis.info()));
}

/** Undefined when it does not answer. */
function viewOf({ redis }: Server): Promise<ClusterView | undefined> {
  return redis.cluster('INFO').then(
    (text) => parseInfo(String(text)),
    () => undefined,
  );
}
