import { InvalidOptionsError } from '../core/message/errors.js';
import { groupProblem } from '../core/message/names.js';
import {
  describeValue,
  given as onlyGiven,
  integerProblem,
  isOptions,
  notOptions,
  unknownOptions,
} from '../core/message/options.js';
import { type Clock, systemClock } from '../core/runtime/clock.js';
import type { Logger } from '../core/runtime/logger.js';
import type { Telemetry } from '../core/runtime/telemetry.js';
import {
  CONNECT_TIMEOUT_MS,
  SETTING_NAMES,
  settingProblems,
  type RivuletSettings,
  settingsFrom,
  type RivuletSettingsInput,
} from '../core/settings.js';
import type { Stores } from '../core/store/stores.js';
import { planConnection, type RedisConnection } from '../redis/connection-options.js';
import type { HandlerOptions } from './subscribe.js';

export interface RivuletModuleOptions extends RivuletSettingsInput {
  /** URL, ioredis options, `{ sentinels, name }`, or a function that makes an ioredis client. */
  connection?: RedisConnection | undefined;
  /** Instead of a connection: where messages are stored, e.g. `MemoryStores` in a test. */
  stores?: Stores | undefined;
  /** All keys begin with it. Applications with different namespaces never meet. Default `rivulet`. */
  namespace?: string | undefined;
  /** Accept a server that evicts keys when memory is short, which loses messages silently. Default false. */
  allowEviction?: boolean | undefined;
  /** Consumer group of handlers that name none. */
  group?: string | undefined;
  /** Whether this process runs handlers; false makes it a producer only. Default true. */
  consume?: boolean | undefined;
  /** Options of handlers by their name (by default `ClassName.methodName`); they win over those of the decorator. */
  handlers?: Record<string, Omit<HandlerOptions, 'name'>> | undefined;
  /**
   * What a Redis that is down does to the start of the application. `fail` (default): the start fails. `background`:
   * it goes on, and consumers start when Redis comes up.
   */
  connectOnBoot?: 'fail' | 'background' | undefined;
  /**
   * How long `connectOnBoot: 'fail'` waits for the connection, and for one that breaks again while the application starts;
   * likewise each `connect()` of a client. Default 10 000.
   */
  connectTimeoutMs?: number | undefined;
  /** Nest's logger by default. */
  logger?: Logger | undefined;
  /** Traces and metrics: `openTelemetry()` of `nestjs-rivulet/opentelemetry`. Default: none, at no cost. */
  telemetry?: Telemetry | undefined;
  /** For tests. Default: the clock of `stores`, else time as it is. Another one than theirs is refused. */
  clock?: Clock | undefined;
}

/** Beside the options of an instance, since its tokens are needed before a factory has run. */
export interface RivuletModuleExtras {
  /** Of this instance, when an application has several. The instance without a name is the default one. */
  name?: string | undefined;
  /** Whether other modules see it without importing it. Default true. */
  isGlobal?: boolean | undefined;
}

/** The options with every default filled in. */
export interface ModuleSettings {
  readonly source: { stores: Stores } | { connection: RedisConnection };
  readonly namespace: string;
  readonly allowEviction: boolean;
  readonly group: string | undefined;
  readonly consume: boolean;
  readonly handlers: Readonly<Record<string, HandlerOptions>>;
  readonly connectOnBoot: 'fail' | 'background';
  readonly connectTimeoutMs: number;
  readonly logger: Logger | undefined;
  readonly telemetry: Telemetry | undefined;
  readonly clock: Clock;
  readonly rivulet: RivuletSettings;
}

const OWN_NAMES = [
  'connection',
  'stores',
  'namespace',
  'allowEviction',
  'group',
  'consume',
  'handlers',
  'connectOnBoot',
  'connectTimeoutMs',
  'logger',
  'telemetry',
  'clock',
] as const satisfies (keyof RivuletModuleOptions)[];

const DEFAULTS = {
  namespace: 'rivulet',
  allowEviction: false,
  consume: true,
  connectOnBoot: 'fail',
  connectTimeoutMs: CONNECT_TIMEOUT_MS,
} as const;

/** What the transports of Nest take, and a user may bring along. */
const PACKET_OPTIONS = ['serializer', 'deserializer'] as const;

/** They would change what one transport writes, and `@Subscribe` and other clients of the topic could not read it. */
function packetOptionProblems(given: object): string[] {
  return PACKET_OPTIONS.filter((name) => name in given).map(
    (name) =>
      `${name} is for the packets of Nest, and messages here are none: every handler of a topic reads the same bytes. ` +
      'Give a "codec" ({ name, encode, decode }) instead, and "codecs" where others are read, too; answers pass through ' +
      'it as well. To change what a client makes of an answer, override serializeResponse and serializeError',
  );
}

function withoutPacketOptions(given: object): object {
  const others = Object.entries(given).filter(([name]) => !PACKET_OPTIONS.some((p) => p === name));
  return Object.fromEntries(others);
}

/** @throws InvalidOptionsError naming every problem at once. */
export function moduleSettings(given: RivuletModuleOptions, where: string): ModuleSettings {
  if (!isOptions(given)) throw new InvalidOptionsError(where, [notOptions('options', given)]);
  const { connectOnBoot = DEFAULTS.connectOnBoot, consume = DEFAULTS.consume } = given;
  const { namespace = DEFAULTS.namespace, allowEviction = DEFAULTS.allowEviction } = given;
  const { connectTimeoutMs = DEFAULTS.connectTimeoutMs, group, stores, connection } = given;
  const rivulet = coreSettings(given);
  const problems = [
    ...unknownOptions(withoutPacketOptions(given), [...OWN_NAMES, ...SETTING_NAMES]),
    ...packetOptionProblems(given),
    ...sourceProblems({ stores, connection, namespace }),
    group === undefined ? undefined : groupProblem(group),
    typeof consume === 'boolean'
      ? undefined
      : `consume must be true or false, got: ${describeValue(consume)}`,
    connectOnBoot === 'fail' || connectOnBoot === 'background'
      ? undefined
      : `connectOnBoot must be "${'fail' satisfies ModuleSettings['connectOnBoot']}" or "${'background' satisfies ModuleSettings['connectOnBoot']}", got: ${describeValue(connectOnBoot satisfies never)}`,
    integerProblem('connectTimeoutMs', connectTimeoutMs, { min: 1 }),
    typeof allowEviction === 'boolean'
      ? undefined
      : `allowEviction must be true or false, got: ${describeValue(allowEviction)}`,
    given.handlers === undefined || isOptions(given.handlers)
      ? undefined
      : `${notOptions('handlers', given.handlers)}; its names are those of handlers: { 'BillingService.charge': { concurrency: 4 } }`,
    portProblem('logger', given.logger, ['error', 'warn', 'log']),
    portProblem('clock', given.clock, ['now', 'monotonic', 'after']),
    telemetryProblem(given.telemetry),
    ...settingProblems(rivulet),
  ].filter((problem) => problem !== undefined);
  if (problems.length > 0) throw new InvalidOptionsError(where, problems);
  return {
    source: stores ? { stores } : { connection: connection! },
    namespace,
    allowEviction,
    group,
    consume,
    handlers: given.handlers ?? {},
    connectOnBoot,
    connectTimeoutMs,
    logger: given.logger,
    telemetry: given.telemetry,
    clock: given.clock ?? systemClock,
    rivulet: settingsFrom(rivulet),
  };
}

/** Of what is called later: a method that is missing would be noticed at the worst time. */
function portProblem(name: string, given: unknown, methods: readonly string[]): string | undefined {
  if (given === undefined) return undefined;
  const has = (given ?? {}) as Record<string, unknown>;
  const missing = methods.filter((method) => typeof has[method] !== 'function');
  if (missing.length === 0) return undefined;
  return `${name} must have the methods ${methods.join(', ')}; missing: ${missing.join(', ')}, got: ${describeValue(given)}`;
}

function telemetryProblem(telemetry: unknown): string | undefined {
  if (telemetry === undefined || typeof (telemetry as Partial<Telemetry>)?.handling === 'function')
    return undefined;
  return `telemetry must be what openTelemetry() of nestjs-rivulet/opentelemetry answers, got: ${describeValue(telemetry)}`;
}

function coreSettings(given: RivuletModuleOptions): RivuletSettingsInput {
  const settings = Object.fromEntries(
    Object.entries(given).filter(([name]) => SETTING_NAMES.includes(name)),
  ) as RivuletSettingsInput;
  // A wrong one is told of as what it is.
  if (given.group === undefined || groupProblem(given.group)) return settings;
  const { transactions = {} } = settings;
  if (!isOptions(transactions)) return settings;
  return { ...settings, transactions: { producerGroup: given.group, ...onlyGiven(transactions) } };
}

function sourceProblems(
  given: Pick<RivuletModuleOptions, 'stores' | 'connection'> & { namespace: string },
): string[] {
  const { stores, connection, namespace } = given;
  if (stores && connection !== undefined)
    return ['connection and stores contradict each other; give one'];
  if (stores) return [];
  if (connection === undefined)
    return ['connection is missing; it should look like redis://localhost:6379'];
  try {
    planConnection({ connection, namespace }, () => {
      throw new Error('only checked, never connected');
    });
    return [];
  } catch (error) {
    if (error instanceof InvalidOptionsError) return [...error.problems];
    throw error;
  }
}
