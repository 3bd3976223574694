import { bytesOf } from '../message/frame.js';
import { acksProblems } from '../message/acks.js';
import { MalformedMessageError } from '../message/errors.js';
import { textProblem, topicProblem } from '../message/names.js';
import { isSendRoute } from '../producer/send-route.js';
import type { KeptMessage } from './kept-message.js';

const VERSION = 1;

type Described = Omit<KeptMessage, 'entry'> & {
  bytes: number;
  dueAt?: number | undefined;
  dedupId?: string | undefined;
};

/**
 * The messages of a transaction as they wait in the database: version, length of a description, description (JSON), frames.
 *
 * @param now Unix ms: a delay counts from here on, however long the outage lasts.
 */
export function encodeOutboxRow(messages: readonly KeptMessage[], now: number): Buffer {
  const described = messages.map(({ topic, place, route, key, acks, entry }): Described => {
    const { frame, due, dedupId } = entry;
    const dueAt = due && ('at' in due ? due.at : now + due.delayMs);
    return { topic, place, route, key, acks, bytes: frame.length, dueAt, dedupId };
  });
  const json = Buffer.from(JSON.stringify(described));
  const head = Buffer.alloc(5);
  head.writeUInt8(VERSION, 0);
  head.writeUInt32BE(json.length, 1);
  return Buffer.concat([head, json, ...messages.map(({ entry }) => bytesOf(entry.frame))]);
}

/** @throws MalformedMessageError; its `version` is set when a newer library wrote the row. */
export function decodeOutboxRow(row: Uint8Array): KeptMessage[] {
  const bytes = Buffer.from(row.buffer, row.byteOffset, row.byteLength);
  const version = bytes.length >= 5 ? bytes.readUInt8(0) : 0;
  if (version !== VERSION)
    throw new MalformedMessageError(
      `the row has version ${version}, this library knows ${VERSION}`,
      version > VERSION ? { version } : {},
    );
  let at = 5 + bytes.readUInt32BE(1);
  return readDescription(bytes.toString('utf8', 5, at)).map(
    ({ topic, place, route, key, acks, bytes: length, dueAt, dedupId }) => {
      const frame = bytes.subarray(at, (at += length));
      if (frame.length < length) throw new MalformedMessageError('the row ends within a message');
      const due = dueAt === undefined ? undefined : { at: dueAt };
      return { topic, place, route, key, acks, entry: { frame, due, dedupId } };
    },
  );
}

/** @throws MalformedMessageError unless each says where its message goes and how long it is. */
function readDescription(text: string): Described[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw new MalformedMessageError('the description of the messages is no JSON');
  }
  if (!Array.isArray(parsed) || !parsed.every(isDescribed))
    throw new MalformedMessageError('the description does not describe messages');
  return parsed;
}

function isDescribed(each: unknown): each is Described {
  const { topic, place, route, acks, bytes, dueAt, dedupId } = (each ?? {}) as Partial<Described>;
  return (
    topicProblem(topic) === undefined &&
    (place === null || (isCount(place?.queue) && isCount(place?.generation))) &&
    isSendRoute(route) &&
    (acks === undefined || !acksProblems(acks).some((problem) => problem)) &&
    isCount(bytes) &&
    (dueAt === undefined || Number.isFinite(dueAt)) &&
    (dedupId === undefined || textProblem('dedupId', dedupId) === undefined)
  );
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}
