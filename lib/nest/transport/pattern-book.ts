import { isDeepStrictEqual } from 'node:util';
import type { MessageHandler } from '@nestjs/microservices';
import { describeValue, given } from '../../core/message/options.js';
import type { TopicDefinition } from '../../core/message/topic.js';
import { HANDLER_OPTIONS, handlerOptionProblems } from '../handler-options.js';
import { Problems } from '../problems.js';
import type { HandlerOptions } from '../subscribe.js';
import { describePattern, topicsOfPattern } from './pattern.js';

/** One pattern of one handler, as Nest handed it over. */
export interface PatternHandler {
  readonly origin: string;
  readonly pattern: unknown;
  readonly topic: string;
  readonly definition: TopicDefinition | undefined;
  readonly callback: MessageHandler;
  readonly options: HandlerOptions;
}

/** Handlers that share the deliveries of one topic and group. */
export interface PatternSubscription {
  readonly topic: string;
  readonly group: string;
  readonly definition: TopicDefinition | undefined;
  /** Of all handlers, for errors and log lines. */
  readonly origin: string;
  readonly options: HandlerOptions;
  /** Gets requests. */
  readonly message: PatternHandler | undefined;
  /** Get everything else. */
  readonly events: readonly PatternHandler[];
}

export interface PatternBookOptions {
  /** Group of handlers that name none. */
  group: string | undefined;
  /** Options by handler, from the module. */
  overrides: Readonly<Record<string, HandlerOptions>>;
  /** `ClassName.methodName` of the handler that Nest registers now, with these extras; unknown without a module. */
  nextOrigin(extras: object): string | undefined;
}

/** Collects the handlers Nest registers, and makes subscriptions of them. */
export class PatternBook {
  private readonly options: PatternBookOptions;
  private readonly problems = new Problems();
  private readonly subscriptions = new Map<string, PatternSubscription>();

  constructor(options: PatternBookOptions) {
    this.options = options;
  }

  add(registered: {
    pattern: unknown;
    callback: MessageHandler;
    isEvent: boolean;
    extras: HandlerOptions;
  }): void {
    const { pattern, callback, isEvent, extras } = registered;
    const { nextOrigin, overrides } = this.options;
    const origin = nextOrigin(extras) ?? decoratorOf(pattern, isEvent);
    const found = handlerOptionProblems(extras, HANDLER_OPTIONS);
    const { name = origin, ...own } = extras;
    const options = { ...given(own), ...given(overrides[name] ?? {}) };
    const group = options.group ?? this.options.group;
    const { topic, definition, problem } = topicsOfPattern(pattern);
    if (problem !== undefined) found.push(problem);
    if (group === undefined) found.push(NO_GROUP);
    this.problems.add(origin, found);
    if (topic === undefined || group === undefined) return;

    const handler = { origin, pattern, topic, definition, callback, options };
    const key = `${topic} ${group}`;
    const others = this.subscriptions.get(key);
    this.subscriptions.set(
      key,
      others ? this.joined(others, handler, isEvent) : alone(handler, group, isEvent),
    );
  }

  /** @throws InvalidOptionsError naming every problem of every handler. */
  plan(): PatternSubscription[] {
    this.problems.refuse();
    return [...this.subscriptions.values()];
  }

  private joined(
    others: PatternSubscription,
    handler: PatternHandler,
    isEvent: boolean,
  ): PatternSubscription {
    const { topic, group, message } = others;
    const both = `${others.origin} and ${handler.origin}`;
    if (message && !isEvent)
      this.problems.add(`Two handlers answer the requests of ${describeValue(handler.pattern)}`, [
        both,
        `both consume topic "${topic}" in group "${group}", so only one of them would ever answer`,
        'merge them, or give one its own pattern',
      ]);
    const differing = HANDLER_OPTIONS.filter((name) => {
      const [a, b] = [others.options, handler.options].map((options) => options[name]);
      // No filter is a wish, too: for every message.
      const isSaid = name === 'filter' || (a !== undefined && b !== undefined);
      return isSaid && !isDeepStrictEqual(a, b);
    });
    if (differing.length > 0)
      this.problems.add(both, [
        `they share the deliveries of topic "${topic}" in group "${group}", but differ in ${differing.join(', ')}; give both the same, or one its own group`,
      ]);
    return {
      ...others,
      origin: both,
      definition: others.definition ?? handler.definition,
      options: { ...handler.options, ...others.options },
      message: isEvent ? message : handler,
      events: isEvent ? [...others.events, handler] : others.events,
    };
  }
}

const NO_GROUP =
  'no consumer group; give the handler one in its extras ({ group }), or set the option "group"';

function alone(handler: PatternHandler, group: string, isEvent: boolean): PatternSubscription {
  const { topic, definition, origin, options } = handler;
  return {
    topic,
    group,
    definition,
    origin,
    options,
    message: isEvent ? undefined : handler,
    events: isEvent ? [handler] : [],
  };
}

/** The decorator, for want of a better name. */
function decoratorOf(pattern: unknown, isEvent: boolean): string {
  return `@${isEvent ? 'EventPattern' : 'MessagePattern'}(${describePattern(pattern)})`;
}
