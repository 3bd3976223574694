import type { RawEntry } from './entry-content.js';

/** What a read brought of one stream. A class, not a literal: it may live through a collection (decision 7). */
export class StreamEntries {
  constructor(
    readonly key: Buffer,
    readonly entries: RawEntry[],
  ) {}
}

export type StreamsReply = StreamEntries[];

/** RESP3: keys and entries in turn. RESP2: a pair for each stream. */
export type RawStreams = (Buffer | RawEntry[])[] | [Buffer, RawEntry[]][];

/** In the list of the reply itself: V8 would learn that another one lives long, and make it in the old generation (decision 33). */
export function streamsOf(reply: RawStreams): StreamsReply {
  const streams = reply as unknown as StreamsReply;
  const isInTurn = Buffer.isBuffer(reply[0]);
  const count = isInTurn ? reply.length / 2 : reply.length;
  for (let i = 0; i < count; i++) {
    const pair = isInTurn ? undefined : (reply[i] as [Buffer, RawEntry[]]);
    const key = pair ? pair[0] : (reply[2 * i] as Buffer);
    streams[i] = new StreamEntries(key, pair ? pair[1] : (reply[2 * i + 1] as RawEntry[]));
  }
  streams.length = count;
  return streams;
}
