import {
  AcksMissedError,
  FlowBlockedError,
  RivuletError,
  SendFailedError,
  SendOutcomeUnknownError,
  isOutOfMemory,
  StoreRefusedError,
  StoreUnavailableError,
  TopicFullError,
  whyNotKept,
} from '../message/errors.js';
import type { SendResult } from '../message/message.js';
import { messageIdOf } from '../message/frame.js';
import { levelOf } from '../producer/wanted-acks.js';
import type { AppendResult } from '../store/message-log.js';
import { decidedIn } from './half-owner.js';
import type { SentHalf } from './half-sender.js';
import type { KeptMessage, QueueRun } from './kept-message.js';
import { sendResult } from './prepared-message.js';
import type { Publisher } from './publisher.js';
import type { TransactionFacts } from './transaction-facts.js';

/** One try to store a set. */
export interface SetAttempt {
  facts: TransactionFacts;
  /** In the order of the call. */
  messages: readonly KeptMessage[];
  /** Whose append decides. */
  deciding: QueueRun;
  others: readonly QueueRun[];
  deadline: number;
}

/** What the store holds of one run until the set is decided. It says where that is. */
export function halfOf(
  publisher: Publisher,
  { facts, deciding }: SetAttempt,
  run: QueueRun,
): SentHalf {
  return { ...publisher.half(facts, run), name: decidedIn(deciding) };
}

/** @param appended  undefined when the store did not confirm that it is visible. */
export function resultOf(
  { topic, queue }: QueueRun,
  { entry, acks }: KeptMessage,
  appended: AppendResult | undefined,
): SendResult {
  const messageId = messageIdOf(entry.frame);
  if (appended) return sendResult({ topic, queue, messageId, acks: levelOf(acks) }, appended);
  return {
    messageId,
    topic,
    queue,
    state: 'half',
    offset: null,
    duplicate: false,
    acks: levelOf(acks),
  };
}

/** What the caller is told when the store, or the library itself, did not take a part of the set. */
export function setRefused(attempt: SetAttempt, error: Error): Error {
  const isOurs = error instanceof RivuletError;
  const isStore = error instanceof StoreRefusedError || error instanceof StoreUnavailableError;
  if (isOurs && !isStore) return error;
  return setFailed(attempt, whyNotKept(error), {
    cause: error,
    isOutOfMemory: isOutOfMemory(error),
  });
}

export function setFailed(
  { messages: [first], facts }: SetAttempt,
  why: string,
  { cause, isOutOfMemory = false }: { cause?: Error; isOutOfMemory?: boolean } = {},
): Error {
  const { topic, entry } = first!;
  const Failure = isOutOfMemory ? FlowBlockedError : SendFailedError;
  return new Failure(
    `No message of set ${facts.id} was stored: ${why}. It is safe to send it again.`,
    { topic, messageId: messageIdOf(entry.frame) },
    cause === undefined ? {} : { cause },
  );
}

export function setUnknown({ messages, facts }: SetAttempt, cause: Error): Error {
  const { topic, entry } = messages[0]!;
  const what =
    cause instanceof AcksMissedError
      ? `Set ${facts.id} is stored in the memory of the server, but ${cause.missed}: it is sent unless the server fails now.`
      : `Whether set ${facts.id} was sent is not known: ${cause.message}.`;
  return new SendOutcomeUnknownError(
    `${what} All of its ${messages.length} messages will be visible, or none. Sending it again may double it unless each message has a dedupId.`,
    { topic, messageId: messageIdOf(entry.frame) },
    { cause },
  );
}

export function setFull({ topic, queue, messages: [first] }: QueueRun): TopicFullError {
  return new TopicFullError(
    `Topic "${topic}" queue ${queue} is full (its maxLength is reached). No message of the set was stored; consume or raise maxLength, then send it again.`,
    { topic, messageId: messageIdOf(first!.entry.frame) },
  );
}
