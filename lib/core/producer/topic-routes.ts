import { SendFailedError } from '../message/errors.js';
import type { Clock } from '../runtime/clock.js';
import type { MessageLog } from '../store/message-log.js';
import type { TopicInfo } from '../store/topic-registry.js';
import type { Outgoing } from './encode-message.js';
import type { PendingSend, SendRoute } from './pending-send.js';
import { QueueAppender } from './queue-appender.js';
import { checkedQueue, selectQueue } from './queue-selector.js';
import { QueueTurns } from './queue-turns.js';
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

interface Route {
  info: TopicInfo;
  appenders: QueueAppender[];
  turns: QueueTurns;
}

/** The way of each message to its queue, also while the topic changes under it. Topics here were looked up before. */
export class TopicRoutes {
  private readonly options: TopicRoutesOptions;
  private readonly routes = new Map<string, Route>();
  /** Messages on their way to the new queues of a topic that changed. */
  private readonly moving = new Map<string, PendingSend[]>();

  constructor(options: TopicRoutesOptions) {
    this.options = options;
  }

  /**
   * What decides the queue of a message: what the sender said, else its message group, else its dedup id, else turns.
   *
   * @throws InvalidInputError when the sender named a queue that the topic does not have.
   */
  decide({ topic, options, body }: Outgoing): SendRoute {
    const { messageGroup, queue, queueSelector, dedupId, tag, key, properties } = options;
    if (queue !== undefined || queueSelector) {
      const { queues } = this.routeOf(topic).info;
      if (!queueSelector)
        return { by: 'queue', queue: checkedQueue(queue, queues, { topic, from: 'queue' }) };
      const all = Array.from({ length: queues }, (_, i) => i);
      const chosen = queueSelector(all, { topic, tag, key, properties: properties ?? {}, body });
      return {
        by: 'queue',
        queue: checkedQueue(chosen, queues, { topic, from: 'what queueSelector returned' }),
      };
    }
    if (messageGroup !== undefined) return { by: 'message-group', messageGroup };
    // The same dedup id must meet its first message, and that is remembered per queue.
    return dedupId === undefined ? BY_TURN : { by: 'dedup-id', dedupId };
  }

  /** Never throws: a message that has no way is answered. */
  enqueue(send: PendingSend): void {
    const route = this.routeOf(send.topic);
    const queue = queueFor(send.route, route);
    const appender = route.appenders[queue];
    if (!appender)
      return failed(
        send,
        `the topic was made anew, has queues 0 to ${route.info.queues - 1}, and queue ${queue} was asked for.`,
      );
    appender.enqueue(send);
    // The store works on these while the process makes the next ones.
    if (send.route.by === 'turn' && route.turns.isComplete) appender.flush();
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
    for (const appender of this.appenders()) appender.close();
  }

  private appenders(): QueueAppender[] {
    return [...this.routes.values()].flatMap((route) => route.appenders);
  }

  private busy(): QueueAppender[] {
    return this.appenders().filter((appender) => !appender.idle);
  }

  private routeOf(topic: string): Route {
    const info = this.options.topics.cached(topic);
    const route = this.routes.get(topic);
    if (route && (!info || isSame(route.info, info))) return route;
    if (!info) throw new Error(`Topic "${topic}" was routed before it was looked up`);
    const fresh = {
      info,
      turns: new QueueTurns({ queues: info.queues }),
      appenders: Array.from({ length: info.queues }, (_, queue) => this.appender(info, queue)),
    };
    this.routes.set(topic, fresh);
    return fresh;
  }

  private appender({ topic, generation }: TopicInfo, queue: number): QueueAppender {
    const { log, clock, session, batch } = this.options;
    const onMoved = (sends: PendingSend[]): void => this.routeAnew(topic, sends);
    return new QueueAppender({ topic, queue, generation, log, clock, session, batch, onMoved });
  }

  /**
   * The topic changed under these: look it up and send them again, before anything newer. Other queues of the topic
   * learn of the change one after the other, so wait for all of them before the first message takes its new way.
   */
  private routeAnew(topic: string, sends: PendingSend[]): void {
    const moving = this.moving.get(topic);
    if (moving) return void moving.push(...sends);
    const moved = [...sends];
    this.moving.set(topic, moved);
    const old = this.routes.get(topic)?.appenders ?? [];
    const rerouted = Promise.all(old.map((appender) => appender.whenIdle()))
      .then(() => this.options.topics.refresh(topic))
      .then(
        () => {
          this.moving.delete(topic);
          for (const send of moved) if (!send.answered) this.enqueue(send);
        },
        (error: Error) => {
          this.moving.delete(topic);
          for (const send of moved) failed(send, `the topic changed: ${error.message}`, error);
        },
      );
    this.options.holdLine(topic, rerouted);
  }
}

const BY_TURN: SendRoute = { by: 'turn' };

function failed(send: PendingSend, why: string, cause?: unknown): void {
  const text = `Message ${send.messageId} to topic "${send.topic}" was not stored: ${why}`;
  send.fail(new SendFailedError(text, send, cause === undefined ? {} : { cause }));
}

function isSame(a: TopicInfo, b: TopicInfo): boolean {
  return a.generation === b.generation && a.queues === b.queues;
}

function queueFor(route: SendRoute, target: Route): number {
  const { queues } = target.info;
  switch (route.by) {
    case 'queue':
      return route.queue;
    case 'message-group':
      return selectQueue(route.messageGroup, queues);
    case 'dedup-id':
      return selectQueue(route.dedupId, queues);
    case 'turn':
      return target.turns.next();
  }
}
