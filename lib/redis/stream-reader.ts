import { setMaxListeners } from 'node:events';
import type { Redis } from 'ioredis';
import { BlockingReader } from './blocking-reader.js';
import type { Connections } from './connections.js';
import type { RawEntry } from './entry-content.js';
import { isElsewhere, refusalReason } from './errors.js';
import type { Commands } from './script.js';

export type StreamsReply = [key: Buffer, entries: RawEntry[]][];

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
}

/** What was found, and which streams could not be asked. With one server either the read fails or nothing does. */
export interface StreamsFound {
  entries: StreamsReply;
  failures: readonly { key: string; error: unknown }[];
}

/** So many connections one reader has at most; streams beyond are asked now and then. */
const MOST_READERS = 64;
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
  private readonly name: string;
  private readonly connections: Connections;
  private readonly readers = new Map<string, BlockingReader>();
  private closed = false;

  constructor(options: { name: string; connections: Connections }) {
    this.name = options.name;
    this.connections = options.connections;
  }

  /** One at a time. Ended by the signal or by `close` it finds nothing. */
  async read(request: StreamsRequest): Promise<StreamsFound> {
    const { streams, signal } = request;
    if (signal.aborted) return { entries: [], failures: [] };
    if (this.connections.isSpread) return this.readSpread(request);
    const reader = this.readerFor(streams[0]!.key, '');
    const entries = await reader.read(signal, (redis, longestMs) =>
      ask(redis, { ...request, blockMs: Math.min(request.blockMs, longestMs) }),
    );
    return { entries: entries ?? [], failures: [] };
  }

  /** Asks without waiting, together with other commands. */
  async readNow(request: Omit<StreamsRequest, 'blockMs'>): Promise<StreamsFound> {
    const { redis } = this.connections.gathered;
    if (!this.connections.isSpread)
      return { entries: (await ask(redis, { ...request, blockMs: 0 })) ?? [], failures: [] };
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
    await Promise.all([...this.readers.values()].map((reader) => reader.close()));
  }

  private async readSpread(request: StreamsRequest): Promise<StreamsFound> {
    const { streams, signal, blockMs } = request;
    const [waited, asked] = this.share(streams);
    if (asked.length > 0) {
      const found = await this.readNow({ ...request, streams: asked });
      if (found.entries.length > 0 || found.failures.length > 0) return found;
    }
    // Not AbortSignal.any: what it makes is kept by the signal of the loop, for ever in some versions of Node.
    const ended = new AbortController();
    const end = (): void => ended.abort();
    setMaxListeners(MOST_READERS + 1, ended.signal);
    signal.addEventListener('abort', end, { once: true });
    const longestMs = asked.length > 0 ? Math.min(blockMs, POLL_MS) : blockMs;
    try {
      return await gather(
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
    } finally {
      signal.removeEventListener('abort', end);
    }
  }

  /** What waits on a connection of its own, and what does not. */
  private share(streams: readonly StreamFrom[]): [waited: StreamFrom[], asked: StreamFrom[]] {
    const waited: StreamFrom[] = [];
    const asked: StreamFrom[] = [];
    let isRoom = MOST_READERS - this.readers.size;
    for (const stream of streams) {
      const isKnown = this.readers.has(stream.key);
      if (isKnown || isRoom > 0) waited.push(stream);
      else asked.push(stream);
      if (!isKnown) isRoom -= 1;
    }
    return [waited, asked];
  }

  /** While its slot is being moved, the stream is asked through the cluster, which knows the way. */
  private async waitFor(request: StreamsRequest): Promise<StreamsReply | null> {
    const [{ key }] = request.streams as [StreamFrom];
    const { signal } = request;
    try {
      return await this.readerFor(key, key).read(signal, (redis, longestMs) =>
        ask(redis, { ...request, blockMs: Math.min(request.blockMs, longestMs) }),
      );
    } catch (error) {
      if (!isElsewhere(error)) throw error;
    }
    const reply = await ask(this.connections.redis, { ...request, blockMs: 0 });
    if (!reply) await pause(Math.min(MOVING_POLL_MS, request.blockMs), signal);
    return reply;
  }

  private readerFor(key: string, name: string): BlockingReader {
    let reader = this.readers.get(name);
    if (!reader) {
      const { connections } = this;
      reader = new BlockingReader({ name: this.name, connections, key });
      if (this.closed) void reader.close();
      else this.readers.set(name, reader);
    }
    return reader;
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

function ask(
  redis: Commands | Redis,
  { command, streams, blockMs }: StreamsRequest,
): Promise<StreamsReply | null> {
  const [name, ...how] = command;
  const block = blockMs > 0 ? ['BLOCK', String(Math.ceil(blockMs))] : [];
  const keys = streams.map(({ key }) => key);
  const after = streams.map((stream) => stream.after);
  return redis.callBuffer(
    name,
    ...how,
    ...block,
    'STREAMS',
    ...keys,
    ...after,
  ) as Promise<StreamsReply | null>;
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
