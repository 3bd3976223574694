import { CodecError, InvalidInputError, RivuletError, SchemaError } from '../message/errors.js';
import type { SendOptions, SendResult } from '../message/message.js';
import { describeValue, isOptions } from '../message/options.js';
import { type TopicName, topicOf } from '../message/topic.js';
import type { Producer } from './producer.js';

/** One message of a batch: its body, and whatever `send` takes. */
export interface BatchItem<Body = unknown> extends SendOptions {
  body: Body;
}

/** Some messages of a batch were not stored, or perhaps not. `outcomes` has a result or an error for each, in order. */
export class BatchSendError extends RivuletError {
  readonly code = 'BATCH_SEND';
  readonly outcomes: readonly (SendResult | Error)[];

  constructor(topic: string, outcomes: readonly (SendResult | Error)[]) {
    const errors = outcomes.filter((outcome) => outcome instanceof Error);
    super(
      `${errors.length} of ${outcomes.length} messages to topic "${topic}" were not confirmed; the others are stored. First: ${errors[0]?.message}`,
      { cause: errors[0] },
    );
    this.outcomes = outcomes;
  }
}

/** What no message can be made of. @throws InvalidInputError naming every place. */
export function checkBatch(name: TopicName, items: unknown): void {
  const isNone = (item: unknown): boolean => !isOptions(item) || !('body' in item);
  const problems = Array.isArray(items)
    ? items.flatMap((item, i) =>
        isNone(item) ? [`message ${i} must be { body, … }, got: ${describeValue(item)}`] : [],
      )
    : [`messages must be a list of { body, … }, got: ${describeValue(items)}`];
  if (problems.length > 0)
    throw new InvalidInputError(`Send a batch to topic "${String(topicOf(name))}"`, problems);
}

/** What is wrong with one of many must say which. */
function placed(error: unknown, i: number): unknown {
  const where = `Message ${i} of the batch`;
  if (error instanceof InvalidInputError) return new InvalidInputError(where, error.problems);
  if (error instanceof CodecError)
    return new CodecError(`${where}: ${error.message}`, { path: error.path, cause: error });
  if (error instanceof SchemaError)
    return new SchemaError(
      error.topic,
      error.issues.map((issue) => `message ${i}: ${issue}`),
    );
  return error;
}

/**
 * Send messages to one topic, in order; those of one queue travel together.
 *
 * Each is checked before the first is sent: a batch with an invalid message stores nothing. A batch is no
 * transaction: when the store fails in between, some are stored and `BatchSendError` says which.
 */
export async function sendBatch(
  producer: Producer,
  name: TopicName,
  items: readonly BatchItem[],
): Promise<SendResult[]> {
  const messages = items.map(({ body, ...options }) => ({ name, body, options }));
  const checks = messages.map(({ body, options }, i) => {
    const refuse = (error: unknown): never => {
      throw placed(error, i);
    };
    try {
      const checked = producer.checked(name, body, options);
      if (!(checked instanceof Promise)) return checked;
      const check = checked.catch(refuse);
      // Whoever finds another problem first does not wait for this one.
      check.catch(() => undefined);
      return check;
    } catch (error) {
      return refuse(error);
    }
  });
  // Without a schema nothing is waited for: later sends of the caller stay behind the batch.
  if (checks.some((check) => check instanceof Promise)) await Promise.all(checks);
  const sends = producer.together(name, messages.length, () =>
    messages.map((message, i) => {
      const check = checks[i];
      return producer.sendChecked(message, check instanceof Promise ? undefined : check);
    }),
  );
  const settled = await Promise.allSettled(sends);
  const outcomes = settled.map((outcome) =>
    outcome.status === 'fulfilled' ? outcome.value : (outcome.reason as Error),
  );
  const results = outcomes.filter((outcome): outcome is SendResult => !(outcome instanceof Error));
  if (results.length === outcomes.length) return results;
  throw new BatchSendError(topicOf(name), outcomes);
}
