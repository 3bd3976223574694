import { type ConsumerTiming, DEFAULT_CONSUMER_TIMING } from './consumer/consumer-timing.js';
import {
  DEFAULT_IDLE_GROUPS,
  idleGroupProblems,
  type IdleGroupSettings,
} from './consumer/idle-group-settings.js';
import { DEFAULT_ORDERED_TIMING, type OrderedTiming } from './consumer/ordered/ordered-timing.js';
import { acksProblems } from './message/acks.js';
import { type Codec, codecProblems } from './message/codec.js';
import { InvalidOptionsError } from './message/errors.js';
import {
  describeValue,
  given,
  integerProblem,
  isOptions,
  notOptions,
  unknownOptions,
} from './message/options.js';
import { topicSettingProblems } from './message/topic.js';
import { DEFAULT_PRODUCER_SETTINGS, type ProducerSettings } from './producer/producer-settings.js';
import {
  DEFAULT_REQUEST_SETTINGS,
  requestSettingProblems,
  type RequestSettings,
} from './producer/request-settings.js';
import { DEFAULT_TOPIC_SETTINGS, type TopicSettings } from './store/topic-registry.js';
import {
  DEFAULT_TRANSACTION_SETTINGS,
  type TransactionSettings,
  transactionSettingProblems,
} from './transaction/transaction-settings.js';

/** How long opening waits for the store where nobody said how long. */
export const CONNECT_TIMEOUT_MS = 10_000;

/** Everything that can be set about how messages are sent and consumed; each has its default here and nowhere else. */
export interface RivuletSettings {
  producer: ProducerSettings;
  /** For topics that this process creates. */
  topics: TopicSettings;
  /** Create a topic when it is first used. Default true. */
  autoCreateTopics: boolean;
  /** Codec of bodies that are not bytes. Default JSON. */
  codec: Codec | undefined;
  /** Further codecs this process can read. */
  codecs: readonly Codec[];
  consumer: ConsumerTiming;
  transactions: TransactionSettings;
  /** For ordered subscriptions. */
  ordered: OrderedTiming;
  /** What is done about groups that nobody consumes. */
  idleGroups: IdleGroupSettings;
  /** Default 5 000. */
  heartbeatMs: number;
  /** A process that was silent for this long is dead, and its deliveries are handed out again. Default 15 000. */
  deadAfterMs: number;
  /** Longest time a shutdown waits for handlers, settles and confirms. Default 15 000. */
  drainMs: number;
  /** Longest wait for an answer to a request. Default 30 000. */
  requestTimeoutMs: number;
  /** How much may wait for answers. */
  requests: RequestSettings;
}

export type RivuletSettingsInput = {
  [K in keyof RivuletSettings]?:
    | (RivuletSettings[K] extends object ? Optional<RivuletSettings[K]> : RivuletSettings[K])
    | undefined;
} & { codec?: Codec | undefined; codecs?: readonly Codec[] | undefined };

/** `undefined` counts as not given, also for the compiler where it is told exactOptionalPropertyTypes. */
type Optional<T> = { [K in keyof T]?: T[K] | undefined };

const DEFAULT_SETTINGS: RivuletSettings = {
  producer: DEFAULT_PRODUCER_SETTINGS,
  topics: DEFAULT_TOPIC_SETTINGS,
  autoCreateTopics: true,
  codec: undefined,
  codecs: [],
  consumer: DEFAULT_CONSUMER_TIMING,
  transactions: DEFAULT_TRANSACTION_SETTINGS,
  ordered: DEFAULT_ORDERED_TIMING,
  idleGroups: DEFAULT_IDLE_GROUPS,
  heartbeatMs: 5_000,
  deadAfterMs: 15_000,
  drainMs: 15_000,
  requestTimeoutMs: 30_000,
  requests: DEFAULT_REQUEST_SETTINGS,
};

/** Names of the settings, for "did you mean". */
export const SETTING_NAMES = Object.keys(DEFAULT_SETTINGS);

/** The settings with every default filled in. @throws InvalidOptionsError naming every problem. */
export function settingsFrom(input: RivuletSettingsInput): RivuletSettings {
  const problems = settingProblems(input);
  if (problems.length > 0) throw new InvalidOptionsError('Options of Rivulet', problems);
  return withDefaults(input);
}

function withDefaults(input: RivuletSettingsInput): RivuletSettings {
  return {
    producer: { ...DEFAULT_SETTINGS.producer, ...givenIn(input.producer) },
    topics: { ...DEFAULT_SETTINGS.topics, ...givenIn(input.topics) },
    consumer: { ...DEFAULT_SETTINGS.consumer, ...givenIn(input.consumer) },
    transactions: { ...DEFAULT_SETTINGS.transactions, ...givenIn(input.transactions) },
    ordered: { ...DEFAULT_SETTINGS.ordered, ...givenIn(input.ordered) },
    autoCreateTopics: input.autoCreateTopics ?? DEFAULT_SETTINGS.autoCreateTopics,
    codec: input.codec,
    codecs: input.codecs ?? DEFAULT_SETTINGS.codecs,
    idleGroups: { ...DEFAULT_SETTINGS.idleGroups, ...givenIn(input.idleGroups) },
    heartbeatMs: input.heartbeatMs ?? DEFAULT_SETTINGS.heartbeatMs,
    deadAfterMs: input.deadAfterMs ?? DEFAULT_SETTINGS.deadAfterMs,
    drainMs: input.drainMs ?? DEFAULT_SETTINGS.drainMs,
    requestTimeoutMs: input.requestTimeoutMs ?? DEFAULT_SETTINGS.requestTimeoutMs,
    requests: { ...DEFAULT_SETTINGS.requests, ...givenIn(input.requests) },
  };
}

/** Every problem of the settings, without throwing: for callers that collect more. */
export function settingProblems(input: RivuletSettingsInput): string[] {
  const named: (string | undefined)[] = [
    ...unknownOptions(input, SETTING_NAMES),
    ...unknownIn('producer', input.producer, DEFAULT_SETTINGS.producer),
    ...unknownIn('topics', input.topics, DEFAULT_SETTINGS.topics),
    ...unknownIn('consumer', input.consumer, DEFAULT_SETTINGS.consumer),
    ...unknownIn('transactions', input.transactions, DEFAULT_SETTINGS.transactions),
    ...unknownIn('ordered', input.ordered, DEFAULT_SETTINGS.ordered),
    ...unknownIn('idleGroups', input.idleGroups, DEFAULT_SETTINGS.idleGroups),
    ...unknownIn('requests', input.requests, DEFAULT_SETTINGS.requests),
  ];
  const { producer, consumer, ordered, topics, transactions, ...rest } = withDefaults(input);
  const positive = { min: 1 };
  const { acks, whenBufferFull, ...limits } = producer;
  return [
    ...named,
    ...knownIn(limits, DEFAULT_SETTINGS.producer).map(([name, value]) =>
      integerProblem(`producer.${name}`, value, positive),
    ),
    ...acksProblems(acks).map((problem) => problem && `producer.${problem}`),
    whenBufferFull === 'wait' || whenBufferFull === 'fail'
      ? undefined
      : `producer.whenBufferFull must be "${'wait' satisfies ProducerSettings['whenBufferFull']}" or "${'fail' satisfies ProducerSettings['whenBufferFull']}", got: ${describeValue(whenBufferFull satisfies never)}`,
    ...topicSettingProblems(topics).map((problem) => problem && `topics.${problem}`),
    typeof rest.autoCreateTopics === 'boolean'
      ? undefined
      : `autoCreateTopics must be true or false, got: ${describeValue(rest.autoCreateTopics)}`,
    ...(rest.codec === undefined ? [] : codecProblems('codec', rest.codec)),
    ...(Array.isArray(rest.codecs)
      ? rest.codecs.flatMap((codec, i) => codecProblems(`codecs[${i}]`, codec))
      : [`codecs must be an array, got: ${describeValue(rest.codecs)}`]),
    integerProblem('consumer.blockMs', consumer.blockMs, { min: 1, max: 5_000 }),
    integerProblem('consumer.renewMs', consumer.renewMs, positive),
    integerProblem('consumer.swallowedAfterMs', consumer.swallowedAfterMs, positive),
    integerProblem('consumer.quarantineMs', consumer.quarantineMs, positive),
    integerProblem('consumer.maxInHandBytes', consumer.maxInHandBytes, positive),
    integerProblem('consumer.claimLeaseMs', consumer.claimLeaseMs, { min: 100 }),
    ...transactionSettingProblems(transactions).map(
      (problem) => problem && `transactions.${problem}`,
    ),
    ...knownIn(ordered, DEFAULT_SETTINGS.ordered).map(([name, value]) =>
      integerProblem(`ordered.${name}`, value, name === 'rebalanceDelayMs' ? { min: 0 } : positive),
    ),
    ordered.renewMs < ordered.selfStopMs && ordered.selfStopMs < ordered.leaseMs
      ? undefined
      : `ordered: renewMs (${ordered.renewMs}) must be less than selfStopMs (${ordered.selfStopMs}), and that less than leaseMs (${ordered.leaseMs}), or owners overlap`,
    ...idleGroupProblems(rest.idleGroups),
    integerProblem('heartbeatMs', rest.heartbeatMs, positive),
    integerProblem('deadAfterMs', rest.deadAfterMs, positive),
    rest.deadAfterMs < rest.heartbeatMs * 2
      ? `deadAfterMs (${rest.deadAfterMs}) must be at least twice heartbeatMs (${rest.heartbeatMs}), or living processes are taken for dead`
      : undefined,
    integerProblem('drainMs', rest.drainMs, { min: 0 }),
    integerProblem('requestTimeoutMs', rest.requestTimeoutMs, positive),
    ...requestSettingProblems(rest.requests),
  ].filter((problem) => problem !== undefined);
}

function unknownIn(name: string, given: unknown, known: object): string[] {
  if (given === undefined) return [];
  if (!isOptions(given)) return [notOptions(name, given)];
  return unknownOptions(given, Object.keys(known)).map((problem) => `${name}: ${problem}`);
}

/** What nobody knows has been told of as that. */
function knownIn(settings: object, known: object): [string, unknown][] {
  return Object.entries(settings).filter(([name]) => Object.hasOwn(known, name));
}

/** Nothing of what is no object: that was told of already. */
function givenIn<T extends object>(options: T | undefined): Partial<T> {
  return isOptions(options) ? (given(options) as Partial<T>) : {};
}
