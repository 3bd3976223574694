import type { Redis } from 'ioredis';
import { ReplyDecoder } from './reply-decoder.js';

type Listener = (chunk: Buffer) => void;

/**
 * Has replies to this client decoded here instead of by ioredis, which takes six times as long for each entry of a stream
 * (decision 27). To be called for each connection when it is there, before anything was read from it.
 *
 * Errors, and whatever else is no plain answer, still go to ioredis: it decides what follows from them.
 */
export function decodeReplies(client: Redis): void {
  const { stream } = client;
  // ioredis puts its own before all others.
  const [theirs] = stream.listeners('data') as Listener[];
  if (!theirs) return;
  const decoder = new ReplyDecoder({
    onReply(reply) {
      const asked = client.commandQueue.shift();
      if (!asked) throw new Error('A reply came that nobody had asked for');
      asked.command.resolve(reply);
    },
    onOther: theirs,
  });
  stream.off('data', theirs);
  // As there: who looks whether anything is still to be answered comes after it.
  stream.prependListener('data', (chunk: Buffer) => {
    try {
      decoder.write(chunk);
    } catch (error) {
      // What follows cannot be understood: whoever waits for it must not get somebody else's answer.
      stream.destroy(error as Error);
    }
  });
}
