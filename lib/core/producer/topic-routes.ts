import { setMaxListeners } from 'node:events';
import { SendFailedError } from '../message/errors.js';
import type { Clock } from '../runtime/clock.js';
import type { MessageLog } from '../store/message-log.js';
import type { TopicInfo } from '../store/topic-registry.js';
import { Detour } from './detour.js';
import type { Outgoing } from './encode-message.js';
import { askPatiently } from './ask-patiently.js';
import type { PendingSend } from './pending-send.js';
import { QueueAppender } from './queue-appender.js';
import { QueueTurns } from './queue-turns.js';
import { queueOf, type SendRoute, sendRoute } from './send-route.js';
import type { TopicDirectory } from './topic-directory.js';

export interface TopicRoutesOptions {
  log: MessageLog;
  topics: TopicDirectory;
  clock: Clock;
  session: string;
  batch: { messages: number; bytes: number };
  /** Sends of the topic that come from now on wait until `work` is done. */
  holdLine(topic: string, work: Promise<unknown>): void;
}

/** After so long without a send nobody knows that more come in this turn, and mostly none do: the first leaves at once. */
const REST_MS = 10;

interface Route {
  info: TopicInfo;
  queues: number;
  appenders: QueueAppender[];
  turns: QueueTurns;
}

/** The way of each message to its queue, also while the topic changes under it. Topics here were looked up before. */
export class TopicRoutes {
  private readonly options: TopicRoutesOptions;
  private readonly routes = new Map<string, Route>();
  private readonly detours = new Map<string, Detour>();
  /** By the monotonic clock. Of the pace of sends nothing is known before the second one. */
  private lastSentAt = Infinity;
  private closed = false;
  private readonly closing = new AbortController();

  constructor(options: TopicRoutesOptions) {
    this.options = options;
    // Every topic that is looked up again during an outage listens; Node would take more than ten for a leak.
    setMaxListeners(0, this.closing.signal);
  }

  /**
   * What decides the queue of a message: what the sender said, else its message group, else its dedup id, else turns.
   *
   * @throws InvalidInputError when the sender named a queue that the topic does not have.
   */
  decide(message: Outgoing): SendRoute {
    return sendRoute(message, this);
  }

  /** How many queues its topic has. */
  queuesFor({ topic }: Outgoing): number {
    return (this.options.topics.cached(topic) ?? this.routeOf(topic)).queues;
  }

  /** Runs `send`, which sends so many messages of one batch at once. */
  together<T>(topic: string, messages: number, send: () => T): T {
    // A way that ends gives no turns: what comes now takes a detour.
    const isRouted = this.options.topics.cached(topic) && !this.isWayEnding(topic);
    const turns = isRouted ? this.routeOf(topic).turns : undefined;
    turns?.expect(messages);
    try {
      return send();
    } finally {
      turns?.expect(0);
    }
  }

  /** Never throws: a message that has no way is answered. */
  enqueue(send: PendingSend): void {
    if (this.closed) return send.expire(false, undefined);
    const isFirst = this.noteSend(send);
    const detour = this.detourOf(send.topic);
    if (detour) return detour.arrive(send);
    const route = this.routeOf(send.topic);
    const { turns } = route;
    const isAlone = isFirst && send.route.by === 'turn' && turns.mayLeaveAlone;
    const queue = isAlone ? turns.nextAlone() : queueOf(send.route, route);
    const appender = route.appenders[queue];
    if (!appender)
      return failed(
        send,
        `the topic was made anew, has queues 0 to ${route.info.queues - 1}, and queue ${queue} was asked for.`,
      );
    if (isAlone) return appender.enqueueAlone(send);
    appender.enqueue(send);
    // The store works on these while the process makes the next ones.
    if (send.route.by === 'turn' && turns.isComplete) appender.flush();
  }

  /** @returns whether it is the first after a rest. */
  private noteSend({ sentAt }: PendingSend): boolean {
    const restedMs = sentAt - this.lastSentAt;
    this.lastSentAt = sentAt;
    return restedMs >= REST_MS;
  }

  /** Resolves once every send was answered. */
  async whenIdle(): Promise<void> {
    // The answer of one send may let another in, to a queue that was idle.
    for (let busy = this.busy(); busy.length > 0; busy = this.busy())
      await Promise.all(busy.map((appender) => appender.whenIdle()));
  }

  get idle(): boolean {
    return this.busy().length === 0;
  }

  close(): void {
    this.closed = true;
    this.closing.abort();
    for (const appender of this.appenders()) appender.close();
    for (const detour of this.detours.values())
      for (const send of detour.end()) send.expire(false, undefined);
  }

  private appenders(): QueueAppender[] {
    return [...this.routes.values()].flatMap((route) => route.appenders);
  }

  private busy(): QueueAppender[] {
    return this.appenders().filter((appender) => !appender.idle);
  }

  /**
   * As it is known now. Not while the way ends: what is on it would be overtaken, and nobody would wait for it or end
   * it at a close.
   */
  private routeOf(topic: string): Route {
    const info = this.options.topics.cached(topic);
    const route = this.routes.get(topic);
    if (route && (!info || isSame(route.info, info))) return route;
    if (!info) throw new Error(`Topic "${topic}" was routed before it was looked up`);
    const fresh = {
      info,
      queues: info.queues,
      turns: new QueueTurns({ queues: info.queues }),
      appenders: Array.from({ length: info.queues }, (_, queue) => this.appender(info, queue)),
    };
    this.routes.set(topic, fresh);
    for (const appender of route?.appenders ?? []) appender.close();
    return fresh;
  }

  private appender({ topic, generation }: TopicInfo, queue: number): QueueAppender {
    const { log, clock, batch } = this.options;
    // The numbers begin anew: under the old name a queue that stayed would take the first calls for repeats.
    const session = `${this.options.session}.${generation}`;
    const onMoved = (sends: PendingSend[]): void =>
      (this.detours.get(topic) ?? this.beginDetour(topic)).giveBack(sends);
    return new QueueAppender({ topic, queue, generation, log, clock, session, batch, onMoved });
  }

  /** Whether there is one, or must be: somebody else learned of a change before all old queues did. */
  private detourOf(topic: string): Detour | undefined {
    const detour = this.detours.get(topic);
    if (detour) return detour;
    return this.isWayEnding(topic) ? this.beginDetour(topic) : undefined;
  }

  /** The topic is known to have changed, and something is still on its way to an old queue. */
  private isWayEnding(topic: string): boolean {
    const info = this.options.topics.cached(topic);
    const route = this.routes.get(topic);
    if (!route || !info || route.info === info || isSame(route.info, info)) return false;
    return route.appenders.some((appender) => !appender.idle);
  }

  /**
   * The topic changed: look it up and send what its old queues give back, before anything newer. They learn of the
   * change one after the other, so wait for all of them before the first message takes its new way.
   */
  private beginDetour(topic: string): Detour {
    const detour = new Detour({ clock: this.options.clock });
    this.detours.set(topic, detour);
    const old = this.routes.get(topic)?.appenders ?? [];
    const ended = Promise.all(old.map((appender) => appender.whenIdle()))
      .then(() => this.lookUpAgain(topic, detour))
      .then(
        () => {
          this.detours.delete(topic);
          for (const send of detour.end()) this.enqueue(send);
        },
        (error: Error) => {
          this.detours.delete(topic);
          for (const send of detour.end())
            failed(send, `the topic changed: ${error.message}`, error);
        },
      );
    this.options.holdLine(topic, ended);
    return detour;
  }

  /** For as long as one of the sends has time left. */
  private lookUpAgain(topic: string, detour: Detour): Promise<TopicInfo> {
    const { topics, clock } = this.options;
    return askPatiently({
      ask: () => topics.refresh(topic),
      goOn: () => detour.isAwaited && !this.closed,
      clock,
      signal: this.closing.signal,
    });
  }
}

function failed(send: PendingSend, why: string, cause?: unknown): void {
  const text = `Message ${send.messageId} to topic "${send.topic}" was not stored: ${why}`;
  send.fail(new SendFailedError(text, send, cause === undefined ? {} : { cause }));
}

function isSame(a: TopicInfo, b: TopicInfo): boolean {
  return a.generation === b.generation && a.queues === b.queues;
}
