import { BaseRpcContext } from '@nestjs/microservices';
import type { Delivery } from '../core/consumer/subscription.js';
import type { MessageView, Properties } from '../core/message/message.js';
import { type Metadata, metadataOf, withoutMetadata } from './metadata.js';

/**
 * What a handler may know about the delivery in its hands: `@Ctx() ctx: RivuletContext`, with both `@Subscribe` and the
 * pattern decorators of Nest.
 */
export class RivuletContext extends BaseRpcContext<[delivery: Delivery, pattern: unknown]> {
  constructor(delivery: Delivery, pattern: unknown) {
    super([delivery, pattern]);
  }

  get message(): MessageView {
    return this.args[0].message;
  }

  get messageId(): string {
    return this.message.messageId;
  }

  get topic(): string {
    return this.message.topic;
  }

  get queue(): number {
    return this.message.queue;
  }

  /** Position in the queue. */
  get offset(): string {
    return this.message.offset;
  }

  get tag(): string | undefined {
    return this.message.tag;
  }

  get key(): string | undefined {
    return this.message.key;
  }

  get messageGroup(): string | undefined {
    return this.message.messageGroup;
  }

  get properties(): Properties {
    return withoutMetadata(this.message.properties);
  }

  /** When the message was sent, by the sender's clock, Unix ms. */
  get bornAt(): number {
    return this.message.bornAt;
  }

  get traceparent(): string | undefined {
    return this.message.traceparent;
  }

  get tracestate(): string | undefined {
    return this.message.tracestate;
  }

  get baggage(): string | undefined {
    return this.message.baggage;
  }

  /** Which attempt this is, from 1. */
  get attempt(): number {
    return this.args[0].attempt;
  }

  /**
   * Ordered subscriptions only: grows with every owner of the queue. A store that keeps the highest one it has seen for
   * each message group can refuse a process that was paused and does not know that another one has followed it.
   */
  get fencingToken(): number | undefined {
    return this.args[0].fencingToken;
  }

  /** The consumer group this delivery belongs to. */
  get group(): string {
    return this.args[0].group;
  }

  /**
   * Aborts when the handler's time is up, when somebody else was given the message, or when a shutdown waits no longer.
   * What the handler does afterwards is not settled.
   */
  get signal(): AbortSignal {
    return this.args[0].signal;
  }

  /** The pattern as the handler declared it: a topic, or whatever was given to `@EventPattern` or `@MessagePattern`. */
  getPattern(): unknown {
    return this.args[1];
  }

  /** What the sender's dispatch hook put into `packet.metadata`, if there was one. */
  getMetadata(): Metadata | undefined {
    return metadataOf(this.message.properties);
  }
}
