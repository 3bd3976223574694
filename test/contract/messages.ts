import { mintMessageId } from '../../lib/core/message/message-id.js';
import {
  decodeMessage,
  encodeFrame,
  frameMessageId,
  type Header,
} from '../../lib/core/message/wire-format.js';
import { selectQueue } from '../../lib/core/producer/queue-selector.js';
import type { AppendEntry, AppendReply, AppendResult } from '../../lib/core/store/message-log.js';
import type { EntryContent, QueueRef } from '../../lib/core/store/refs.js';
import type { Stores } from '../../lib/core/store/stores.js';
import type { TopicSettings } from '../../lib/core/store/topic-registry.js';

export const QUEUE: QueueRef = { topic: 'orders', queue: 0 };
export const BILLING = { ...QUEUE, group: 'billing' };
export const AUDIT = { ...QUEUE, group: 'audit' };

/** A packed message. Ids grow, as those of one process do. */
function frameOf(body: Uint8Array | string, header: Header = {}): Buffer {
  return encodeFrame(header, body, (target, at) => mintMessageId(target, at, 1_700_000_000_000));
}

export type PackedEntry = AppendEntry & { frame: Buffer };

export function entryOf(
  body: Uint8Array | string,
  more: Omit<AppendEntry, 'frame'> = {},
): PackedEntry {
  return { frame: frameOf(body), ...more };
}

/** A message of a message group. */
export function groupedEntry(
  messageGroup: string,
  body: string,
  more: Omit<AppendEntry, 'frame'> = {},
): PackedEntry {
  return { frame: frameOf(body, { messageGroup }), ...more };
}

/** Topic `orders`, by default with one queue. */
export async function declare(
  stores: Stores,
  settings: Partial<TopicSettings> = {},
): Promise<void> {
  await stores.topics.declare('orders', { queues: 1, ...settings });
}

/** The group joins topic `orders`, by default from its first message. */
export async function join(
  stores: Stores,
  group: string,
  from: 'earliest' | 'latest' | Date = 'earliest',
): Promise<void> {
  const reply = await stores.topics.joinGroup('orders', {
    group,
    mode: 'unordered',
    filterDigest: '',
    from,
  });
  if (reply.state !== 'joined') throw new Error(`group ${group} could not join`);
}

/** 0 where there is no such topic. */
export async function generationOf(stores: Stores, topic: string): Promise<number> {
  return (await stores.topics.find(topic))?.generation ?? 0;
}

let sessions = 0;
function newSession(): string {
  return `session-${++sessions}`;
}

/** Append in one call, with a session of its own. */
export async function publish(
  stores: Stores,
  entries: readonly (AppendEntry | string)[],
  ref: QueueRef = QUEUE,
): Promise<AppendResult[]> {
  const generation = await generationOf(stores, ref.topic);
  const call = { ...ref, generation, session: newSession(), epoch: 1, number: 1 };
  const reply = await stores.log.append({
    ...call,
    entries: entries.map((entry) => (typeof entry === 'string' ? entryOf(entry) : entry)),
  });
  return resultsOf(reply);
}

export function resultsOf(reply: AppendReply): AppendResult[] {
  if (reply.state !== 'appended') throw new Error(`expected "appended", got "${reply.state}"`);
  return reply.results;
}

export function offsetOf(result: AppendResult | undefined): string {
  if (result?.state !== 'stored') throw new Error(`expected "stored", got "${result?.state}"`);
  return result.offset;
}

/** Publish texts; answers their offsets. */
export async function publishTexts(
  stores: Stores,
  texts: readonly string[],
  ref = QUEUE,
): Promise<string[]> {
  return (await publish(stores, texts, ref)).map(offsetOf);
}

export function numbered(count: number, prefix = 'm'): string[] {
  return Array.from({ length: count }, (_, i) => `${prefix}${i + 1}`);
}

/** The body of a message as text; for other kinds of content the kind in angle brackets. */
export function text({ content }: { content: EntryContent }): string {
  return content.kind === 'message' ? bodyOf(content.frame).toString() : `<${content.kind}>`;
}

export function texts(entries: readonly { content: EntryContent }[]): string[] {
  return entries.map(text);
}

/** A message as it was packed. */
export function frameIn(content: EntryContent): Buffer {
  if (content.kind !== 'message') throw new Error(`expected a message, got ${content.kind}`);
  return content.frame;
}

export function bodyIn(content: EntryContent): Buffer {
  return bodyOf(frameIn(content));
}

export function bodyOf(frame: Buffer): Buffer {
  return decodeMessage({ ...QUEUE, offset: '' }, frame).bytes;
}

export async function logTexts(stores: Stores, ref: QueueRef = QUEUE): Promise<string[]> {
  return texts(await stores.log.range({ ...ref, from: '-', to: '+', count: 10_000 }));
}

export { frameMessageId };

/** A message group that is in this queue, of so many. */
export function groupIn(queue: number, queues = 2): string {
  for (let n = 0; ; n++) if (selectQueue(`g${n}`, queues) === queue) return `g${n}`;
}
