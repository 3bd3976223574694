import { acksProblems } from '../message/acks.js';
import { InvalidInputError } from '../message/errors.js';
import type { SendOptions } from '../message/message.js';
import { groupProblem, propertyNameProblem, textProblem, topicProblem } from '../message/names.js';
import { isCarried, isTraceparent } from '../message/traceparent.js';
import type { Clock } from '../runtime/clock.js';
import {
  describeValue,
  integerProblem,
  isOptions,
  notOptions,
  unknownOptions,
} from '../message/options.js';
import { receiptProblems } from './receipt.js';

const KNOWN: readonly (keyof SendOptions)[] = [
  'tag',
  'key',
  'messageGroup',
  'queue',
  'queueSelector',
  'delayMs',
  'deliverAt',
  'ttlMs',
  'dedupId',
  'properties',
  'traceparent',
  'tracestate',
  'baggage',
  'timeoutMs',
  'transaction',
  'mandatory',
  'alternateTopic',
  'receipt',
  'acks',
];
const KNOWN_SET: ReadonlySet<string> = new Set(KNOWN);

/** Longest delay: a hundred years. Anything longer is a unit taken for another. */
const LONGEST_DELAY_MS = 100 * 365 * 86_400_000;
const MOST_PROPERTIES = 100;

/**
 * Refuse options that cannot be meant, all problems at once, before anything is stored.
 *
 * @throws InvalidInputError
 */
export function checkSendOptions(
  topic: string,
  options: SendOptions,
  clock: Pick<Clock, 'now'>,
): void {
  const problems = sendOptionProblems(options, clock);
  if (problems.length > 0) throw new InvalidInputError(`Send to topic "${topic}"`, problems);
}

/** Runs for each message, most of which say nothing, or nothing wrong. */
function sendOptionProblems(options: SendOptions, clock: Pick<Clock, 'now'>): string[] {
  if (!isOptions(options)) return [notOptions('options', options)];
  const problems: string[] = [];
  let saysAnything = false;
  for (const name in options) {
    saysAnything = true;
    if (KNOWN_SET.has(name)) continue;
    problems.push(...unknownOptions(options, KNOWN));
    break;
  }
  if (saysAnything) collectProblems(problems, options, clock);
  return problems;
}

function collectProblems(
  problems: string[],
  options: SendOptions,
  clock: Pick<Clock, 'now'>,
): void {
  const note = (problem: string | undefined): void => {
    if (problem !== undefined) problems.push(problem);
  };
  const {
    tag,
    key,
    messageGroup,
    dedupId,
    properties,
    ttlMs,
    timeoutMs,
    traceparent,
    transaction,
  } = options;
  if (tag !== undefined) note(textProblem('tag', tag));
  if (key !== undefined) note(textProblem('key', key));
  if (messageGroup !== undefined) note(textProblem('messageGroup', messageGroup));
  if (dedupId !== undefined) note(textProblem('dedupId', dedupId));
  if (properties !== undefined) propertyProblems(properties).forEach(note);
  if (ttlMs !== undefined) note(integerProblem('ttlMs', ttlMs, { min: 1, max: LONGEST_DELAY_MS }));
  if (timeoutMs !== undefined) note(timeoutProblem(timeoutMs));
  if (traceparent !== undefined && !(typeof traceparent === 'string' && isTraceparent(traceparent)))
    note(`traceparent must be a W3C trace context, got: ${describeValue(traceparent)}`);
  if (options.tracestate !== undefined || options.baggage !== undefined)
    carriedProblems(options).forEach(note);
  if (transaction !== undefined && transaction !== false)
    note(
      `transaction must be false or left out (a send inside a transaction is a part of it), got: ${describeValue(transaction)}`,
    );
  if (options.receipt !== undefined) receiptProblems(options.receipt).forEach(note);
  if (options.acks !== undefined) acksProblems(options.acks).forEach(note);
  if (options.mandatory !== undefined || options.alternateTopic !== undefined)
    routeProblems(options).forEach(note);
  if (options.queue !== undefined || options.queueSelector !== undefined)
    queueProblems(options).forEach(note);
  if (options.delayMs !== undefined || options.deliverAt !== undefined)
    delayProblems(options, clock).forEach(note);
}

/** Problem with how long to wait, or undefined. */
export function timeoutProblem(timeoutMs: number): string | undefined {
  return integerProblem('timeoutMs', timeoutMs, { min: 1, max: 3_600_000 });
}

function carriedProblems(options: SendOptions): (string | undefined)[] {
  const given = (['tracestate', 'baggage'] as const).filter((name) => options[name] !== undefined);
  return given.flatMap((name) => {
    const text: unknown = options[name];
    return [
      typeof text === 'string' && isCarried(name, text)
        ? undefined
        : `${name} must be W3C ${name}, got: ${describeValue(text)}`,
      options.traceparent === undefined
        ? `${name} says nothing without a traceparent; give both`
        : undefined,
    ];
  });
}

function routeProblems({ mandatory, alternateTopic }: SendOptions): (string | undefined)[] {
  const isMandatory = mandatory !== undefined && mandatory !== false;
  const groups: readonly unknown[] = Array.isArray(mandatory) ? mandatory : [];
  return [
    mandatory === undefined || typeof mandatory === 'boolean' || groups.length > 0
      ? undefined
      : `mandatory must be true, false or a list of consumer groups, got: ${describeValue(mandatory)}`,
    ...groups.map((group) => groupProblem(group, 'each group of mandatory')),
    alternateTopic === undefined ? undefined : topicProblem(alternateTopic),
    isMandatory && alternateTopic !== undefined
      ? 'mandatory and alternateTopic contradict each other: one refuses what the other sends elsewhere; give one'
      : undefined,
  ];
}

function queueProblems({
  messageGroup,
  queue,
  queueSelector,
}: SendOptions): (string | undefined)[] {
  const said = [
    messageGroup !== undefined && 'messageGroup',
    queue !== undefined && 'queue',
    queueSelector !== undefined && 'queueSelector',
  ].filter((name) => name !== false);
  return [
    said.length > 1
      ? `${said.join(' and ')} contradict each other: each decides the queue; give one`
      : undefined,
    queue === undefined ? undefined : integerProblem('queue', queue, { min: 0 }),
    queueSelector === undefined || typeof queueSelector === 'function'
      ? undefined
      : `queueSelector must be a function, got: ${describeValue(queueSelector)}`,
  ];
}

function delayProblems(
  { delayMs, deliverAt }: SendOptions,
  clock: Pick<Clock, 'now'>,
): (string | undefined)[] {
  if (delayMs !== undefined && deliverAt !== undefined)
    return ['delayMs and deliverAt contradict each other; give one'];
  if (delayMs !== undefined)
    return [integerProblem('delayMs', delayMs, { min: 0, max: LONGEST_DELAY_MS })];
  const at: unknown = deliverAt instanceof Date ? deliverAt.getTime() : undefined;
  if (typeof at !== 'number' || Number.isNaN(at))
    return [
      `deliverAt must be a valid Date, got: ${deliverAt instanceof Date ? 'an invalid Date' : describeValue(deliverAt)}`,
    ];
  const now = clock.now();
  if (at < now) return [`deliverAt must not have passed, got: ${new Date(at).toISOString()}`];
  return [at - now > LONGEST_DELAY_MS ? 'deliverAt must be within 100 years' : undefined];
}

function propertyProblems(properties: unknown): (string | undefined)[] {
  if (!isOptions(properties)) return [notOptions('properties', properties)];
  // JSON leaves out what is undefined.
  const entries = Object.entries(properties).filter(([, value]) => value !== undefined);
  const problems = entries.flatMap(([name, value]) => [
    propertyNameProblem(name),
    typeof value === 'string' || typeof value === 'boolean' || Number.isFinite(value)
      ? undefined
      : `property ${JSON.stringify(name)} must be text, a finite number or a boolean, got: ${describeValue(value)}`,
  ]);
  return entries.length > MOST_PROPERTIES
    ? [
        `properties must be ${MOST_PROPERTIES} at most, got: ${entries.length}`,
        ...problems.slice(0, 3),
      ]
    : problems;
}
