import type { Durability, StoreHealth, StoreProblem } from '../core/runtime/store-health.js';

type Info = Readonly<Record<string, string>>;

/** What CONFIG says; undefined where the user may not ask. */
export interface PersistenceConfig {
  readonly appendfsync: string | undefined;
  readonly save: string | undefined;
}

/** So much of maxmemory, or of maxclients, in use is worth a warning. */
const SHORT = 0.9;

/** What a server says of itself. */
export interface ServerFacts {
  readonly target: string;
  readonly info: Info;
  readonly config: PersistenceConfig;
}

/** What is expected of a server. */
export interface Expectations {
  readonly allowEviction: boolean;
  /** How many replicas `producer.acks` asks for. Default 0. */
  readonly replicas?: number;
}

/** Judges a server by its INFO. Pure. */
export function serverHealth(server: ServerFacts, expected: Expectations): StoreHealth {
  const { target, info, config } = server;
  const durability = durabilityOf(info, config);
  const problems = [
    roleProblem(info),
    evictionProblem(info, expected),
    replicasProblem(info, expected),
    clientsProblem(info),
    memoryProblem(info),
    diskProblem(info),
    persistenceProblem(durability, config),
  ].filter((problem) => problem !== undefined);
  return {
    server: serverName(info),
    durability,
    problems: problems.map((problem) => problemAt(target, problem)),
  };
}

/** From what is lost first to what is lost last. */
const DURABILITIES: readonly Durability[] = [
  'none',
  'snapshots',
  'append-only',
  'everysec',
  'always',
];

/** What can be said of several servers that hold one part of the data each. Pure. */
export function worstHealth(all: readonly StoreHealth[]): StoreHealth {
  const kept = all.map(({ durability }) => DURABILITIES.indexOf(durability));
  return {
    server: [...new Set(all.map(({ server }) => server))].join(', '),
    durability: DURABILITIES[Math.min(...kept)] ?? 'none',
    problems: all.flatMap(({ problems }) => problems),
  };
}

/** Of a node of a cluster. */
export function silentProblem(target: string): StoreProblem {
  const problem = error(
    'NODE_SILENT',
    'it does not answer. Sends to its queues fail and their consumers wait until it or a replica serves them; others go on. Start it again',
  );
  return problemAt(target, problem);
}

export function problemAt(target: string, problem: StoreProblem): StoreProblem {
  return { ...problem, target, text: `${target}: ${problem.text}` };
}

export function serverName(info: Info): string {
  const { valkey_version: valkey, redis_version: redis = '?' } = info;
  return valkey === undefined ? `Redis ${redis}` : `Valkey ${valkey}`;
}

function durabilityOf(info: Info, { appendfsync, save }: PersistenceConfig): Durability {
  if (info['aof_enabled'] !== '1') return save === '' ? 'none' : 'snapshots';
  return appendfsync === 'always' || appendfsync === 'everysec' ? appendfsync : 'append-only';
}

function persistenceProblem(
  durability: Durability,
  { appendfsync }: PersistenceConfig,
): StoreProblem | undefined {
  if (durability === 'none')
    return warning(
      'NO_PERSISTENCE',
      'it keeps nothing: after a restart every message is gone. Set appendonly yes',
    );
  if (durability === 'snapshots')
    return warning(
      'NO_APPEND_ONLY',
      'appendonly is no: a crash costs every message since the last snapshot. Set appendonly yes',
    );
  return appendfsync === 'no'
    ? warning(
        'NO_FSYNC',
        'appendfsync is no: a power cut costs what the system had not written, half a minute or so. Set everysec or always',
      )
    : undefined;
}

function evictionProblem(info: Info, { allowEviction }: Expectations): StoreProblem | undefined {
  const policy = info['maxmemory_policy'];
  if (policy === undefined || policy === 'noeviction') return undefined;
  const text = `maxmemory-policy is ${policy}: when memory is short it deletes messages without an error. Set noeviction`;
  return allowEviction ? warning('EVICTION', text) : error('EVICTION', text);
}

function replicasProblem(info: Info, { replicas = 0 }: Expectations): StoreProblem | undefined {
  const connected = Number(info['connected_slaves'] ?? 0);
  if (info['role'] === 'slave' || connected >= replicas) return undefined;
  const count = `${connected} ${connected === 1 ? 'replica is' : 'replicas are'} connected`;
  return warning(
    'REPLICAS_SHORT',
    `${count}, and producer.acks asks for ${replicas}: sends are not confirmed, transactions go by the outbox. Connect more, or ask for fewer`,
  );
}

/** A connection above the limit is closed before anything can be asked, and ioredis does not pass on why. */
function clientsProblem(info: Info): StoreProblem | undefined {
  const [used, most] = [Number(info['connected_clients']), Number(info['maxclients'])];
  if (!(most > 0) || used < most * SHORT) return undefined;
  const share = `${used} of ${most} connections are in use`;
  // A warning: who asks has a connection and works. Down, it would be restarted, and then get none.
  return used >= most
    ? warning(
        'CLIENTS_FULL',
        `${share}: consumers and processes that get none wait. Close some or raise maxclients`,
      )
    : warning('CLIENTS_SHORT', `${share}: further ones will be refused. Raise maxclients`);
}

function memoryProblem(info: Info): StoreProblem | undefined {
  const [used, most] = [Number(info['used_memory']), Number(info['maxmemory'])];
  if (!(most > 0) || used < most * SHORT) return undefined;
  const share = `${Math.floor((used / most) * 100)} % of maxmemory is in use`;
  return used >= most
    ? error(
        'MEMORY_FULL',
        `${share}: sends are refused, consuming goes on. Free memory or raise maxmemory`,
      )
    : warning('MEMORY_SHORT', `${share}: sends will be refused when it is full`);
}

function diskProblem(info: Info): StoreProblem | undefined {
  if (info['aof_enabled'] === '1' && info['aof_last_write_status'] === 'err')
    return error(
      'DISK',
      'it cannot write its append-only file: it refuses sends, and consumers get nothing. Free space there',
    );
  if (info['rdb_last_bgsave_status'] === 'err')
    return error(
      'DISK',
      'its last snapshot failed: unless told otherwise it refuses sends, and consumers get nothing. Free space there',
    );
  return undefined;
}

function roleProblem(info: Info): StoreProblem | undefined {
  return info['role'] === 'slave'
    ? error('REPLICA', 'it is a replica now: nothing can be stored there. Connect through Sentinel')
    : undefined;
}

function warning(code: string, text: string): StoreProblem {
  return { level: 'warning', code, text };
}

function error(code: string, text: string): StoreProblem {
  return { level: 'error', code, text };
}
