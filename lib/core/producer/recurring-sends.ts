import { aboutMessage } from '../message/codec.js';
import {
  ClosedError,
  InvalidInputError,
  SendFailedError,
  SendOutcomeUnknownError,
  StoreRefusedError,
  StoreUnavailableError,
  TopicFullError,
} from '../message/errors.js';
import { jsonCodec } from '../message/json-codec.js';
import type { SendOptions } from '../message/message.js';
import { groupProblem } from '../message/names.js';
import { describeValue, unknownOptions } from '../message/options.js';
import { type TopicName, topicOf } from '../message/topic.js';
import type { Clock } from '../runtime/clock.js';
import type { Logger } from '../runtime/logger.js';
import type { RecurringEntry, RecurringStore } from '../store/recurring-store.js';
import type { StoreTime } from '../store/store-time.js';
import { askPatiently } from './ask-patiently.js';
import type { Producer } from './producer.js';
import {
  firstTime,
  type GivenRecurrence,
  keptRecurrence,
  nextTime,
  type NextRun,
  type Recurrence,
  recurrenceOf,
  recurrenceProblems,
} from './recurrence.js';

type Repeated = 'tag' | 'key' | 'messageGroup' | 'queue' | 'ttlMs' | 'properties';

/** `cron`, with a `timezone` where that is not UTC, or `everyMs`. */
export type RecurringOptions = Pick<SendOptions, Repeated> & {
  /** Unique in the namespace: another process that says the same means the same. */
  name: string;
} & GivenRecurrence;

const KNOWN = [
  'name',
  'cron',
  'timezone',
  'everyMs',
  ...(['tag', 'key', 'messageGroup', 'queue', 'ttlMs', 'properties'] satisfies Repeated[]),
];

export type RecurringSend = Recurrence & { name: string; topic: string; nextAt: Date };

type Definition = Recurrence & {
  topic: string;
  body: unknown;
  options: Pick<SendOptions, Repeated>;
};

export interface RecurringSendsOptions {
  store: RecurringStore;
  producer: Producer;
  storeTime: StoreTime;
  nextRun: NextRun | undefined;
  logger: Logger;
  /** How long `set` waits for a store that is away; not once the producer closes. */
  wait: { clock: Clock; timeoutMs: number };
  /** There will be work at `at`. Called before it is stored. */
  note(name: string, at: number): void;
}

/**
 * Sends by the clock, whoever is there: each time once per namespace.
 *
 * A time is taken from the agenda by one process; should two take it, the second send finds the dedup id of the first.
 * Times that pass while no process runs come once, late: as one.
 */
export class RecurringSends {
  private readonly options: RecurringSendsOptions;

  constructor(options: RecurringSendsOptions) {
    this.options = options;
  }

  /**
   * While the store is away it is waited for, as by a send.
   *
   * @throws InvalidInputError naming every problem.
   */
  async set(topic: TopicName, body: unknown, given: RecurringOptions): Promise<RecurringSend> {
    const { producer, storeTime, wait } = this.options;
    const { name, cron: _cron, timezone: _timezone, everyMs: _everyMs, ...options } = given;
    const first = this.firstRun(given, storeTime.now());
    await producer.validate(topic, body, { ...options, dedupId: dedupId(name, first) });
    const recurrence = recurrenceOf(given);
    const definition: Definition = { topic: topicOf(topic), ...recurrence, body, options };
    const text = kept(name, definition);
    const until = wait.clock.monotonic() + wait.timeoutMs;
    // A handler that ends while the application stops sets as it sends.
    const signal = producer.closingSignal;
    const nextAt = await askPatiently({
      ask: () => this.keep(name, text, { recurrence, first }),
      goOn: () => wait.clock.monotonic() < until && !signal.aborted,
      clock: wait.clock,
      signal,
    });
    return { name, topic: definition.topic, ...recurrence, nextAt: new Date(nextAt) };
  }

  /** Safe to repeat. @returns its next time. */
  private async keep(
    name: string,
    definition: string,
    { recurrence, first }: { recurrence: Recurrence; first: number },
  ): Promise<number> {
    const { store, storeTime, note } = this.options;
    const known = await store.find(name);
    const isKnown = known?.definition === definition;
    // What it said before may have a time that is due: a deployment that says something new must not lose it.
    if (known && !isKnown && known.nextAt <= storeTime.now()) await this.fireAsKept(known);
    // Every process says it when it starts: a time that is due must not be lost to that. Of a new one no time comes late
    // because the store was waited for, unless it is the only one.
    const nextAt = isKnown ? known.nextAt : (this.nextRun(recurrence, storeTime.now()) ?? first);
    note(name, nextAt);
    if (!isKnown) await store.put({ name, definition, nextAt });
    // Two versions that run side by side contradict each other without an error.
    if (known && !isKnown) this.tellChanged(known, definition);
    return nextAt;
  }

  private tellChanged(before: RecurringEntry, definition: string): void {
    const [is, was] = [said({ ...before, definition }), said(before)];
    const change = is === was ? `${is}, with another body or options` : `${is}, until now ${was}`;
    this.options.logger.log(
      `Recurring send "${before.name}" was changed: ${change}. A process that starts with the earlier version brings that back.`,
    );
  }

  /**
   * What cannot be sent as it was said, such as a body that its schema does not take any more, is in the way of nothing new, and
   * told of.
   *
   * @throws StoreUnavailableError what may succeed when it is tried again.
   */
  private async fireAsKept({ name, nextAt }: RecurringEntry): Promise<void> {
    try {
      await this.fire(name);
    } catch (error) {
      if (error instanceof StoreUnavailableError) throw error;
      const what = `Recurring send "${name}", which is being changed, was due at ${new Date(nextAt).toISOString()} as it was until now, and could not be sent: ${String(error)}`;
      if (mayPass(error)) throw new StoreUnavailableError(what, { cause: error });
      this.options.logger.warn(`${what}. That time is passed over`);
    }
  }

  async list(): Promise<RecurringSend[]> {
    return (await this.options.store.list()).flatMap((entry) => {
      const definition = definitionOf(entry);
      if (!definition) return [];
      const { topic, body: _body, options: _options, ...recurrence } = definition;
      return { name: entry.name, topic, ...recurrence, nextAt: new Date(entry.nextAt) };
    });
  }

  /** @returns false when there was none of this name. */
  async cancel(name: string): Promise<boolean> {
    const problem = groupProblem(name, 'name');
    if (problem) throw new InvalidInputError('Cancel a recurring send', [problem]);
    return this.options.store.remove(name);
  }

  /** What the agenda should know, in case the store lost it. */
  async noteAll(): Promise<void> {
    for (const { name, nextAt } of await this.options.store.list()) this.options.note(name, nextAt);
  }

  /** Send it if its time has come. @returns its next time, null when there is none. */
  async fire(name: string): Promise<number | null> {
    const { store, producer, storeTime } = this.options;
    const entry = await store.find(name);
    if (!entry || entry.nextAt > storeTime.now()) return entry?.nextAt ?? null;
    const definition = definitionOf(entry);
    if (!definition)
      throw new StoreRefusedError(
        `What the store keeps of recurring send "${name}" is damaged: it is not sent. Set it again, or cancel it`,
        { reason: 'DAMAGED' },
      );
    const { topic, body, options, ...recurrence } = definition;
    // Whoever changes it within a transaction takes no time with it that was due without it.
    const apart = { ...options, dedupId: dedupId(name, entry.nextAt), transaction: false } as const;
    await producer.send(topic, body, apart);
    const to = this.nextRun(recurrence, Math.max(storeTime.now(), entry.nextAt));
    if (to === null) {
      await store.remove(name);
      return null;
    }
    if (await store.advance(name, { from: entry.nextAt, to })) return to;
    // Somebody else was here, or it was cancelled or changed meanwhile.
    return (await store.find(name))?.nextAt ?? null;
  }

  private firstRun(given: RecurringOptions, now: number): number {
    const { name } = given;
    const wrong = recurrenceProblems(given).filter((problem) => problem !== undefined);
    const problems = [...unknownOptions(given, KNOWN), groupProblem(name, 'name'), ...wrong].filter(
      (problem) => problem !== undefined,
    );
    if (wrong.length === 0) {
      const first = firstTime(recurrenceOf(given), now, this.options.nextRun);
      if (typeof first === 'number' && problems.length === 0) return first;
      if (typeof first !== 'number') problems.push(first.problem);
    }
    throw new InvalidInputError(`Recurring send ${describeValue(name)}`, problems);
  }

  private nextRun(recurrence: Recurrence, after: number): number | null {
    return nextTime(recurrence, after, this.options.nextRun);
  }
}

/** A send that may be tried again, here or by the next process. A topic that is full may stay so. */
function mayPass(error: unknown): boolean {
  if (error instanceof TopicFullError) return false;
  return [SendFailedError, SendOutcomeUnknownError, ClosedError].some(
    (type) => error instanceof type,
  );
}

/** As JSON, whatever the codec: what JSON would change is refused. */
function kept(name: string, definition: Definition): string {
  try {
    jsonCodec.encode(definition.body);
  } catch (error) {
    const { topic } = definition;
    const what = `Recurring send "${name}" to topic "${topic}", which is kept as JSON`;
    throw aboutMessage(error, { topic }, (text) => `${what}: ${text}. Nothing was done.`);
  }
  return JSON.stringify(definition);
}

/** Without its body. */
function said(entry: RecurringEntry): string {
  const definition = definitionOf(entry);
  if (!definition) return 'damaged';
  const { topic, cron, timezone, everyMs } = definition;
  const when = everyMs === undefined ? `at "${cron}" in ${timezone}` : `each ${everyMs} ms`;
  return `${when} to topic "${topic}"`;
}

function dedupId(name: string, at: number): string {
  return `recurring:${name}:${at}`;
}

/** Undefined when somebody else wrote it: `send` would not find what it needs. */
function definitionOf({ definition }: RecurringEntry): Definition | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(definition);
  } catch {
    // Told by whoever needs it.
    return undefined;
  }
  if (typeof parsed !== 'object' || parsed === null) return undefined;
  const { topic, body, options } = parsed as Partial<Definition>;
  const recurrence = keptRecurrence(parsed);
  return recurrence && typeof topic === 'string' && typeof options === 'object' && options !== null
    ? { topic, ...recurrence, body, options }
    : undefined;
}
