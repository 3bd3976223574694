import { setMaxListeners } from 'node:events';
import type { Redis } from 'ioredis';
import { StoreUnavailableError } from '../core/message/errors.js';
import { BlockingReader, type BlockingReaderOptions } from './blocking-reader.js';
import type { Connections } from './connections.js';
import { DirectCommand } from './direct-command.js';
import { isElsewhere, refusalReason } from './errors.js';
import type { Commands } from './script.js';
import { MOST_CONNECTIONS, StreamConnections } from './stream-connections.js';
import { type RawStreams, type StreamsReply, streamsOf } from './stream-reply.js';

/** A stream to be read, and after what. */
export interface StreamFrom {
  key: string;
  after: string;
}

export interface StreamsRequest {
  /** XREAD or XREADGROUP with what stands before BLOCK and STREAMS. */
  command: readonly [string, ...string[]];
  streams: readonly StreamFrom[];
  /** 0: not at all. */
  blockMs: number;
  signal: AbortSignal;
  /**
   * Called with what a read brings as soon as it is there, if it brings anything and only when one server is asked; the
   * promise then answers an empty list.
   */
  onArrival?: ((entries: StreamsReply) => void) | undefined;
}

type ReadNow = Omit<StreamsRequest, 'blockMs' | 'onArrival'>;

/**
 * What was found, and which streams could not be asked. With one server either the read fails or nothing does. A node that
 * cannot be reached is no failure as long as another one was asked: its streams have nothing for now.
 */
export interface StreamsFound {
  entries: StreamsReply;
  failures: readonly { key: string; error: unknown }[];
}

/** Streams for which there is no connection are asked so often. */
const POLL_MS = 1_000;
/** A slot that is being moved is asked again so often: nobody can wait there. */
const MOVING_POLL_MS = 50;

/**
 * Waits for the first of many streams that has something.
 *
 * One server answers for all streams in one read. In a cluster each is in a slot of its own, and no read spans slots:
 * there each stream has a connection on which to wait, up to 64 of them, and the first that has something ends the
 * waits of the others. Streams beyond are asked without waiting, once a second.
 */
export class StreamReader {
  private readonly options: BlockingReaderOptions;
  private readonly connections: Connections;
  private readonly spread: StreamConnections;
  private single: BlockingReader | undefined;
  private closed = false;

  constructor(options: BlockingReaderOptions) {
    this.options = options;
    this.connections = options.connections;
    this.spread = new StreamConnections(options);
  }

  /** One at a time. Ended by the signal or by `close` it finds nothing. */
  async read(request: StreamsRequest): Promise<StreamsFound> {
    const { streams, signal } = request;
    if (signal.aborted) return { entries: [], failures: [] };
    if (this.connections.isSpread) {
      // Several answer, and only the first would be taken for what the read brought.
      const each = { ...request, onArrival: undefined };
      return request.blockMs > 0 ? this.readSpread(each) : this.readNow(each);
    }
    const entries = await this.singleReader(streams[0]!.key).read(signal, (redis, longestMs) =>
      ask(redis, { ...request, blockMs: Math.min(request.blockMs, longestMs) }),
    );
    return { entries: entries ?? [], failures: [] };
  }

  /** Asks without waiting, together with other commands of this turn; `leavesNow`: with those there are so far. */
  async readNow(request: ReadNow & { leavesNow?: boolean }): Promise<StreamsFound> {
    const { gathered, isSpread } = this.connections;
    const asked = isSpread ? this.askEach(request) : this.askOnce(request);
    if (request.leavesNow) gathered.flush();
    return this.told(await asked, request.streams.length);
  }

  private async askOnce(request: ReadNow): Promise<StreamsFound> {
    const { redis } = this.connections.gathered;
    return { entries: (await ask(redis, { ...request, blockMs: 0 })) ?? [], failures: [] };
  }

  private askEach(request: ReadNow): Promise<StreamsFound> {
    const { redis } = this.connections.gathered;
    return gather(
      request.streams.map((stream) => ({
        key: stream.key,
        reply: ask(redis, { ...request, streams: [stream], blockMs: 0 }),
      })),
    );
  }

  /** Ends a waiting read. */
  async close(): Promise<void> {
    this.closed = true;
    await Promise.all([this.single?.close(), this.spread.close()]);
  }

  private async readSpread(request: StreamsRequest): Promise<StreamsFound> {
    const { streams, signal, blockMs } = request;
    const [waited, asked] = this.spread.share(streams);
    const now = await this.askEach({ ...request, streams: asked });
    if (now.entries.length > 0) return this.told(now, asked.length);
    // Aborted while it asked: a signal tells nobody who listens later.
    if (signal.aborted) return { entries: [], failures: [] };
    // Not AbortSignal.any: what it makes is kept by the signal of the loop, for ever in some versions of Node.
    const ended = new AbortController();
    const end = (): void => ended.abort();
    setMaxListeners(MOST_CONNECTIONS + 1, ended.signal);
    signal.addEventListener('abort', end, { once: true });
    const longestMs = asked.length > 0 ? Math.min(blockMs, POLL_MS) : blockMs;
    try {
      const found = await gather(
        waited.map((stream) => {
          const one = { ...request, streams: [stream], blockMs: longestMs, signal: ended.signal };
          const reply = this.waitFor(one);
          reply.then(
            (entries) => entries && end(),
            // One node that cannot be reached must not end the waits for others.
            (error: unknown) => refusalReason(error) && end(),
          );
          return { key: stream.key, reply };
        }),
      );
      const failures = [...now.failures, ...found.failures];
      return this.told({ entries: found.entries, failures }, streams.length);
    } finally {
      signal.removeEventListener('abort', end);
    }
  }

  /** While its slot is being moved, the stream is asked through the cluster, which knows the way. */
  private async waitFor(request: StreamsRequest): Promise<StreamsReply | null> {
    const [{ key }] = request.streams as [StreamFrom];
    const { signal } = request;
    const until = performance.now() + request.blockMs;
    for (;;) {
      const leftMs = Math.max(1, until - performance.now());
      try {
        return await this.spread.use(key, (reader) =>
          reader.read(
            signal,
            (redis, longestMs) => ask(redis, { ...request, blockMs: Math.min(leftMs, longestMs) }),
            leftMs,
          ),
        );
      } catch (error) {
        if (isBeingMade(error)) return null;
        if (!isElsewhere(error)) throw error;
      }
      const reply = await ask(this.connections.redis, { ...request, blockMs: 0 });
      if (reply || signal.aborted || performance.now() >= until) return reply;
      await pause(MOVING_POLL_MS, signal);
    }
  }

  private singleReader(key: string): BlockingReader {
    if (this.single) return this.single;
    this.single = new BlockingReader({ ...this.options, key });
    if (this.closed) void this.single.close();
    return this.single;
  }

  /** Of so many streams. A node that does not answer is no failure as long as another one does: what Redis refuses is. */
  private told({ entries, failures }: StreamsFound, streams: number): StreamsFound {
    const refused = failures.filter(({ error }) => refusalReason(error) !== undefined);
    if (failures.length === streams || refused.length === failures.length)
      return { entries, failures };
    if (failures.some(({ error }) => isReplyLost(error))) this.options.onLostReply?.();
    return { entries, failures: refused };
  }
}

/** Every reply there was, and what failed. */
async function gather(
  reads: readonly { key: string; reply: Promise<StreamsReply | null> }[],
): Promise<StreamsFound> {
  const entries: StreamsReply = [];
  const failures: { key: string; error: unknown }[] = [];
  const replies = await Promise.allSettled(reads.map(({ reply }) => reply));
  for (const [i, reply] of replies.entries())
    if (reply.status === 'rejected') failures.push({ key: reads[i]!.key, error: reply.reason });
    else entries.push(...(reply.value ?? []));
  return { entries, failures };
}

/** Whether it may have been carried out. What was not ready was not asked. */
function isReplyLost(error: unknown): boolean {
  return refusalReason(error) === undefined && !(error instanceof StoreUnavailableError);
}

/** The wait was shorter than its connection takes, of which nothing bad is known. */
function isBeingMade(error: unknown): boolean {
  return error instanceof StoreUnavailableError && error.cause === undefined;
}

function ask(
  redis: Commands | Redis,
  { command, streams, blockMs, onArrival }: StreamsRequest,
): Promise<StreamsReply | null> {
  const [name, ...how] = command;
  const block = blockMs > 0 ? ['BLOCK', String(Math.ceil(blockMs))] : [];
  const keys = streams.map(({ key }) => key);
  const after = streams.map((stream) => stream.after);
  const onReply = (reply: unknown): void => {
    if (reply !== null) onArrival?.(streamsOf(reply as RawStreams));
  };
  const asked = redis.sendCommand(
    new DirectCommand(name, [...how, ...block, 'STREAMS', ...keys, ...after], {
      replyEncoding: null,
      onReply: onArrival && onReply,
    }),
  ) as Promise<RawStreams | null>;
  return asked.then((reply) => reply && streamsOf(reply));
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    if (signal.aborted) end();
    else signal.addEventListener('abort', end);
  });
}
