import { isInstance } from '../core/message/any-copy.js';
import type { Codecs } from '../core/message/codecs.js';
import { MalformedMessageError, RivuletError } from '../core/message/errors.js';
import type { MessageView } from '../core/message/message.js';
import { decodeMessage } from '../core/message/wire-format.js';
import type { EntryContent } from '../core/store/refs.js';
import { shown, shownAs, shownBytes } from './entry-json.js';

/** What a body became, or why it became nothing. Its bytes are in the message. */
export type DecodedBody = { readonly value: unknown } | { readonly problem: string };

/** A message of ours with its body. */
export interface MessageEntry {
  readonly kind: 'message';
  readonly message: MessageView;
  readonly body: DecodedBody;
  /** The one group a redriven message is for; null: every group. */
  readonly only: string | null;
}

/**
 * An entry as an operator sees it, whoever wrote it. Looking never fails.
 *
 * `foreign`: another program's fields. `unreadable`: ours, but damaged, or (`version`) written by a newer library.
 * `gone`: it was deleted behind the library's back.
 *
 * As JSON (an answer over HTTP), bytes are text where they are text, else `{ base64 }`; those of a message are left out where
 * its body is shown.
 */
export type EntryView =
  | MessageEntry
  | {
      readonly kind: 'foreign';
      readonly fields: readonly (readonly [name: Buffer, value: Buffer])[];
    }
  | {
      readonly kind: 'unreadable';
      /** Header and body, as they are stored. */
      readonly bytes: Buffer;
      readonly problem: string;
      readonly version: number | undefined;
    }
  | { readonly kind: 'gone' };

interface Place {
  topic: string;
  queue: number;
  offset: string;
}

export function viewEntry(place: Place, content: EntryContent, codecs: Codecs): EntryView {
  switch (content.kind) {
    case 'gone':
      return { kind: 'gone' };
    case 'foreign':
      return viewForeign(pairs(content.fields));
    case 'message':
      return viewMessage(place, content, codecs);
  }
}

/** What it takes of memory, as far as it was stored. */
export function bytesOfView(view: EntryView): number {
  switch (view.kind) {
    case 'message':
      return view.message.bytes.length;
    case 'unreadable':
      return view.bytes.length;
    case 'foreign':
      return view.fields.reduce((sum, [name, value]) => sum + name.length + value.length, 0);
    case 'gone':
      return 0;
  }
}

function viewMessage(
  { topic, queue, offset }: Place,
  { frame, only }: EntryContent & { kind: 'message' },
  codecs: Codecs,
): EntryView {
  try {
    const message = decodeMessage({ topic, queue, offset }, frame);
    return withJson({ kind: 'message', message, body: decodedBody(message, codecs), only });
  } catch (error) {
    const version = error instanceof MalformedMessageError ? error.version : undefined;
    const problem = (error as Error).message;
    const view: EntryView = { kind: 'unreadable', bytes: frame, problem, version };
    return shownAs(view, () => ({ ...view, bytes: shownBytes(frame) }));
  }
}

function viewForeign(fields: readonly (readonly [Buffer, Buffer])[]): EntryView {
  const view: EntryView = { kind: 'foreign', fields };
  return shownAs(view, () => ({ ...view, fields: fields.map((pair) => pair.map(shownBytes)) }));
}

/** Its bytes say again what the body says. */
function withJson(entry: MessageEntry): MessageEntry {
  const { message, body } = entry;
  shownAs(message, () => ({ ...message, bytes: shownBytes(message.bytes) }));
  return shownAs(entry, () => {
    if (!('value' in body)) return { ...entry };
    const { bytes: _bytes, ...header } = message;
    return { ...entry, message: header, body: { value: shown(body.value) } };
  });
}

function decodedBody(message: MessageView, codecs: Codecs): DecodedBody {
  try {
    return { value: codecs.bodyOf(message) };
  } catch (error) {
    // A user's codec may throw anything, with the body in its text; ours is made to be read.
    const problem = isInstance(error, RivuletError)
      ? error.message
      : `codec "${message.codec}" failed`;
    return { problem };
  }
}

function pairs(fields: readonly Buffer[]): [Buffer, Buffer][] {
  const found: [Buffer, Buffer][] = [];
  for (let i = 0; i + 1 < fields.length; i += 2) found.push([fields[i]!, fields[i + 1]!]);
  return found;
}
