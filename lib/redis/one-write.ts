import type { Redis } from 'ioredis';

/**
 * What is asked through it within one turn of the event loop leaves in one write, when the turn ends. For many small
 * commands: each write is a system call that wakes Redis and costs more than the command.
 */
export class OneWrite {
  private gathering: Redis['stream'] | undefined;

  /** The client, ready to be asked. */
  through(client: Redis): Redis {
    const { stream } = client;
    if (!stream || stream === this.gathering) return client;
    this.gathering = stream;
    stream.cork();
    process.nextTick(() => {
      if (this.gathering === stream) this.gathering = undefined;
      stream.uncork();
    });
    return client;
  }
}
