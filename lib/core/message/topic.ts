import { InvalidInputError, SchemaError } from './errors.js';
import { topicProblem } from './names.js';
import { describeValue, integerProblem, isOptions, unknownOptions } from './options.js';

/** The part of the Standard Schema interface (standardschema.dev) that is used here: Zod, Valibot, ArkType … fit. */
export interface StandardSchema<Output = unknown> {
  readonly '~standard': {
    readonly version: 1;
    readonly vendor: string;
    validate(value: unknown): StandardResult<Output> | Promise<StandardResult<Output>>;
  };
}

type StandardResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | {
      readonly issues: readonly {
        readonly message: string;
        readonly path?: readonly unknown[] | undefined;
      }[];
    };

export interface TopicDefinitionOptions<Body> {
  /**
   * Checked before a message is stored and again before a handler sees it. What it makes of a body is stored, and has to pass once
   * more as the codec gives it back: with JSON a Date is text then, so that Zod's `z.coerce.date()` passes and `z.date()` does not.
   */
  schema?: StandardSchema<Body> | undefined;
  /** Number of queues if the topic is created by this process. Default 4. */
  queues?: number | undefined;
  /** Default 24 h. */
  retentionMs?: number | undefined;
  /** Most messages per queue, visible and scheduled. Default: no limit. */
  maxLength?: number | undefined;
  /** What a send does when `maxLength` is reached, and a transaction before its COMMIT. Default `reject`. */
  whenFull?: WhenFull | undefined;
  /** How long a `dedupId` is remembered. Default 10 min. */
  dedupWindowMs?: number | undefined;
}

/** What two services share about a topic. Made by `defineTopic`, accepted wherever a topic name is. */
export interface TopicDefinition<Body = unknown> {
  readonly topic: string;
  readonly options: Readonly<TopicDefinitionOptions<Body>>;
  /** Only in the type: what a body looks like. */
  readonly body?: Body;
}

export type TopicName<Body = unknown> = string | TopicDefinition<Body>;

const KNOWN = [
  'schema',
  'queues',
  'retentionMs',
  'maxLength',
  'whenFull',
  'dedupWindowMs',
] as const;

/** Of a topic. */
export const MOST_QUEUES = 1_024;

const WHEN_FULL = ['reject', 'drop-oldest', 'wait'] as const;

/**
 * What a send does when its queue has as many messages as `maxLength` allows. Whatever it is, messages that every group
 * has settled make room first, however young.
 *
 * `reject`: it fails with `TopicFullError`. `wait`: it waits for room, until its time is up. `drop-oldest`: the oldest
 * messages give way; each group that had not settled one gets it as a dead letter, which says so.
 */
export type WhenFull = (typeof WHEN_FULL)[number];

/**
 * A topic with the type of its body, and optionally a schema and the settings to create it with.
 *
 * Settings only count when the topic is created; change them later with `MessageAdmin.alterTopic`.
 *
 * @throws InvalidInputError naming every problem.
 */
export function defineTopic<Body = unknown>(
  topic: string,
  options: TopicDefinitionOptions<Body> = {},
): TopicDefinition<Body> {
  const problems = [
    topicProblem(topic),
    ...unknownOptions(options, KNOWN),
    ...(isOptions(options)
      ? [schemaProblem(options.schema), ...topicSettingProblems(options)]
      : []),
  ];
  const found = problems.filter((problem) => problem !== undefined);
  if (found.length > 0) throw new InvalidInputError(`defineTopic(${describeValue(topic)})`, found);
  return Object.freeze({ topic, options: Object.freeze({ ...options }) });
}

function schemaProblem(schema: unknown): string | undefined {
  const standard = (schema as Partial<StandardSchema> | null | undefined)?.['~standard'];
  if (schema === undefined || typeof standard?.validate === 'function') return undefined;
  return `schema must follow Standard Schema, as those of Zod 3.24, Valibot 1 and ArkType 2 do, got: ${describeValue(schema)}`;
}

export function topicSettingProblems(settings: {
  queues?: unknown;
  retentionMs?: unknown;
  maxLength?: unknown;
  whenFull?: unknown;
  dedupWindowMs?: unknown;
}): (string | undefined)[] {
  const { queues, retentionMs, maxLength, whenFull, dedupWindowMs } = settings;
  return [
    queues === undefined
      ? undefined
      : integerProblem('queues', queues, { min: 1, max: MOST_QUEUES }),
    retentionMs === undefined ? undefined : integerProblem('retentionMs', retentionMs, { min: 0 }),
    maxLength === undefined || maxLength === null
      ? undefined
      : integerProblem('maxLength', maxLength, { min: 1 }),
    whenFull === undefined || (WHEN_FULL as readonly unknown[]).includes(whenFull)
      ? undefined
      : `whenFull must be ${WHEN_FULL.map((word) => `"${word}"`).join(', ')}, got: ${describeValue(whenFull)}`,
    dedupWindowMs === undefined
      ? undefined
      : integerProblem('dedupWindowMs', dedupWindowMs, { min: 1_000 }),
  ];
}

/** The number of queues of a topic only grows, so that each new queue takes message groups over from one that was there. */
export function growthProblem(from: number, to: number): string | undefined {
  if (to >= from && to % from === 0) return undefined;
  return `queues is ${from} and can only become a multiple of that, so that every message group keeps its order, got: ${to}`;
}

export function refusedGrowth(topic: string, from: number, to: number): InvalidInputError {
  return new InvalidInputError(`Change topic "${topic}"`, [growthProblem(from, to) ?? 'refused']);
}

/**
 * The problem with what should be a topic: a name, or what `defineTopic` answers. What is neither is often a constant of
 * a module that imports this one, and so was not loaded yet.
 */
export function topicArgumentProblem(name: unknown): string | undefined {
  if (name === undefined)
    return 'topic is undefined. If it comes from another module, do the two import each other?';
  if (typeof name === 'string') return undefined;
  const { topic, options } = (name ?? {}) as Partial<TopicDefinition>;
  if (typeof topic === 'string' && isOptions(options)) return undefined;
  return `topic must be a name or what defineTopic answers, got: ${describeValue(name)}`;
}

/** What is no name at all is answered as it is: `topicProblem` says so then. */
export function topicOf(name: TopicName): string {
  const given: unknown = name;
  return typeof given === 'object' && given !== null
    ? (name as TopicDefinition).topic
    : (given as string);
}

/** The body as the schema of its topic gives it. @throws SchemaError, and whatever the schema throws. */
export async function validated(
  topic: string,
  body: unknown,
  schema: StandardSchema,
): Promise<unknown> {
  const result = await schema['~standard'].validate(body);
  if (result.issues) throw new SchemaError(topic, issueLines(result.issues));
  return result.value;
}

/** One line for each issue of a schema, with the path to it. */
function issueLines(
  issues: readonly { message: string; path?: readonly unknown[] | undefined }[],
): string[] {
  return issues.map(({ message, path }) => {
    const keys = (path ?? []).map((part) =>
      String(typeof part === 'object' && part !== null && 'key' in part ? part.key : part),
    );
    return keys.length > 0 ? `${keys.join('.')}: ${message}` : message;
  });
}
