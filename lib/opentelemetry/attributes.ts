import type { Attributes } from '@opentelemetry/api';
import type { HandledFacts, SentFacts } from '../core/runtime/telemetry.js';

// Names are those of OpenTelemetry's semantic conventions for messaging; what they lack begins with messaging.rivulet.
// Bodies and properties are not told: they belong to the application.

export const SYSTEM: Attributes = { 'messaging.system': 'rivulet' };

export function operation(name: string): Attributes {
  return { ...SYSTEM, 'messaging.operation.name': name, 'messaging.operation.type': name };
}

export function sentAttributes({ topic, key, tag, messageGroup }: SentFacts): Attributes {
  return {
    ...operation('send'),
    'messaging.destination.name': topic,
    ...classified({ key, tag, messageGroup }),
  };
}

export function handledAttributes({ message, group, attempt }: HandledFacts): Attributes {
  return {
    ...operation('process'),
    'messaging.destination.name': message.topic,
    'messaging.destination.partition.id': String(message.queue),
    'messaging.consumer.group.name': group,
    'messaging.message.id': message.messageId,
    'messaging.message.body.size': message.bytes.byteLength,
    'messaging.rivulet.message.offset': message.offset,
    'messaging.rivulet.message.attempt': attempt,
    ...classified(message),
  };
}

function classified(message: Pick<SentFacts, 'key' | 'tag' | 'messageGroup'>): Attributes {
  const { key, tag, messageGroup } = message;
  return {
    ...(key !== undefined && { 'messaging.rivulet.message.key': key }),
    ...(tag !== undefined && { 'messaging.rivulet.message.tag': tag }),
    ...(messageGroup !== undefined && { 'messaging.rivulet.message.group': messageGroup }),
  };
}

/** Of few kinds, so that it may label a metric: the `code` of an error of ours, else its class. */
export function errorType(error: unknown): string {
  if (!(error instanceof Error)) return typeof error;
  try {
    const { code, name } = error as Error & { code?: unknown };
    return typeof code === 'string' ? code : String(name);
  } catch {
    return 'Error'; // a getter that throws
  }
}
