import type { BatchOptions } from '../core/consumer/batch/batch-options.js';
import type { TopicDefinition, TopicName } from '../core/message/topic.js';
import type { BatchContext } from './batch-context.js';
import { declareSubscription, type HandlerOptions, type SubscribeDecorator } from './subscribe.js';

export interface SubscribeBatchOptions extends Omit<HandlerOptions, 'concurrency'> {
  batch?: BatchOptions | undefined;
  /** Batches at the same time in this process. Default 1. */
  concurrency?: number | undefined;
  /** Name of the `RivuletModule` to subscribe with, when an application has several. Default: the one without a name. */
  instance?: string | undefined;
}

/**
 * Handle many messages of a topic at a time: the method gets an array of bodies, and `@Ctx() ctx: BatchContext`.
 *
 * Returning acks all of them, throwing tries all of them again; a `BatchResult` says which ones failed. Each message
 * keeps its own attempts, pauses and dead letter. Pipes apply to the array; a schema of the topic is
 * checked message by message, before they are collected. Requests are not answered.
 */
export function SubscribeBatch<Body>(
  topic: TopicDefinition<Body>,
  options?: SubscribeBatchOptions,
): SubscribeDecorator<Body[], BatchContext>;
export function SubscribeBatch(
  topic: string,
  options?: SubscribeBatchOptions,
  // oxlint-disable-next-line typescript/no-explicit-any -- a bare name says nothing about the bodies
): SubscribeDecorator<any>;
export function SubscribeBatch(
  topic: TopicName,
  options: SubscribeBatchOptions = {},
): SubscribeDecorator<never> {
  return declareSubscription('@SubscribeBatch', { topic, options, isBatch: true });
}
