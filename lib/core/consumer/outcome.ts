import { LONGEST_REASON } from '../message/receipt-packet.js';
import { withoutPeriod } from '../message/sentence.js';

/** What became of one attempt. */
export type Outcome =
  | { kind: 'succeeded' }
  /** The handler failed; another attempt may succeed. */
  | { kind: 'failed'; error: unknown }
  /** The handler wants another attempt after this long. */
  | { kind: 'retry-later'; delayMs: number; error: unknown }
  /** No attempt will ever succeed. */
  | { kind: 'rejected'; reason: string; error: unknown }
  /** Nothing came of it, and it counts as no attempt: it was never started, or is given up with its consumer. */
  | { kind: 'not-started' }
  /** A duplicate of it is being handled: it waits for the end of that. */
  | { kind: 'busy'; delayMs: number }
  /** It was handled before, under this dedup key. */
  | { kind: 'duplicate'; dedupKey: string }
  /** Written by a newer library: waits for a consumer that can read it, however long that takes. */
  | { kind: 'held'; version: number }
  /** The subscription's filter does not want it. */
  | { kind: 'filtered' }
  /** Nothing to do: redriven for another group, or its body is gone. */
  | { kind: 'skipped' };

/** An error as a log line, a dead letter or a history may show it: one line, bounded, never throws. */
export function describeError(error: unknown): string {
  try {
    if (error instanceof Error) return oneLine(`${error.name}: ${messageOf(error)}`);
    if (typeof error === 'object' && error !== null) {
      const { message } = error as { message?: unknown };
      return oneLine(typeof message === 'string' ? message : JSON.stringify(error));
    }
    return oneLine(String(error));
  } catch {
    return 'an error that cannot be described';
  }
}

/** What was thrown; an error that says so where that is nothing, which would be read as "no error". */
export function thrownAs(thrown: unknown): unknown {
  return thrown ?? new Error(`${String(thrown)} was thrown instead of an error`);
}

/** What an error says, without its name. Node leaves the message empty where several attempts to connect failed. */
export function messageOf(error: Error & { code?: unknown; errors?: unknown }): string {
  const carried = repeatsItsName(error) ? carriedBy(error) : undefined;
  if (carried !== undefined) return describeError(carried);
  if (error.message !== '') return error.message;
  if (Array.isArray(error.errors) && error.errors.length > 0)
    return error.errors.slice(0, 3).map(describeError).join('; ');
  return typeof error.code === 'string' ? error.code : 'without a message';
}

/** As exceptions of Nest do ("Rpc Exception") that were given an object without a message. */
function repeatsItsName({ message, constructor }: Error): boolean {
  const name: unknown = constructor?.name;
  if (message === '' || typeof name !== 'string') return false;
  return message === name.match(/[A-Z][a-z]+|[0-9]+/g)?.join(' ');
}

interface NestFields {
  initMessage?: unknown;
  error?: unknown;
  response?: unknown;
}

/** That object: what was meant is in it, and nowhere else. */
function carriedBy(error: Error & NestFields): object | undefined {
  // Only of Nest: what an error of an HTTP client has under such a name may hold credentials.
  if (typeof error.initMessage !== 'function') return undefined;
  const carried = error.error ?? error.response;
  const isObject = typeof carried === 'object' && carried !== null;
  return isObject && Object.keys(carried).length > 0 ? carried : undefined;
}

/** For what goes on by itself: the error, as the first of two sentences. */
export function tryingAgain(error: unknown): string {
  return `${withoutPeriod(describeError(error))}. Trying again.`;
}

/** Why a message is given up, as its dead letter keeps it: whoever says it may quote a whole body. */
export function reasonOf(text: string): string {
  return oneLine(text, LONGEST_REASON);
}

/** In characters. */
const LONGEST_ERROR = 500;

function oneLine(text: string, longest = LONGEST_ERROR): string {
  const line = text.replace(/\s+/g, ' ').trim();
  return line.length > longest ? `${line.slice(0, longest - 1)}…` : line;
}
