import type { Acks } from '../message/acks.js';

export interface ProducerSettings {
  /**
   * How far a message must be stored before its send is confirmed, unless the send says otherwise. Default `memory`. Not for
   * requests, where the answer tells more, nor for one-way sends, where nobody would hear of it. What the messages of a
   * transaction and of `sendAll` wait for stands in docs/transactions.md. A server that cannot tell what is on its disk is
   * refused at the start.
   */
  acks: Acks;
  /** How long a send may take before it is answered "failed" or "unknown". Default 10 000. */
  sendTimeoutMs: number;
  /** Largest body. Default 1 MiB. */
  maxMessageBytes: number;
  /** Most messages this process holds unconfirmed; further sends wait. Default 10 000. */
  maxBufferedMessages: number;
  /** Likewise in bytes. Default 64 MiB. */
  maxBufferedBytes: number;
  /** What a send does when the buffer is full. Default `wait`: for room, until its time is up. */
  whenBufferFull: 'wait' | 'fail';
  /**
   * Most bytes of sends that wait for room, or for their topic to be looked up; each counts for 1 KiB beside its own. Further ones
   * fail at once: whoever awaits its sends gets nowhere near. Default 64 MiB.
   */
  maxWaitingBytes: number;
  /** Most messages of one call to the store. Default 256. */
  maxBatchMessages: number;
}

export const DEFAULT_PRODUCER_SETTINGS: ProducerSettings = {
  acks: 'memory',
  sendTimeoutMs: 10_000,
  maxMessageBytes: 1024 * 1024,
  maxBufferedMessages: 10_000,
  maxBufferedBytes: 64 * 1024 * 1024,
  whenBufferFull: 'wait',
  maxWaitingBytes: 64 * 1024 * 1024,
  maxBatchMessages: 256,
};

/** Keeps one call short, so that a batch of large bodies does not stop the server for others. */
export const MAX_BATCH_BYTES = 1024 * 1024;

/** A call smaller than this waits for the one under way, so that sends travel together instead of one by one. */
export const WORTH_ANOTHER_CALL = 64;
