import type { Redis } from 'ioredis';
import type { Client } from './connection.js';

/**
 * What is asked through it within one turn of the event loop leaves in one write, when the turn ends. For many small
 * commands: each write is a system call that wakes Redis and costs more than the command.
 */
export class OneWrite {
  private gathering: Redis['stream'] | undefined;
  /** The cluster whose nodes gather in this turn. */
  private cluster: Client | undefined;

  /** The client, ready to be asked. */
  through<C extends Client>(client: C): C {
    if (client.isCluster) this.throughAll(client as Exclude<Client, Redis>);
    else this.throughOne(client as Redis);
    return client;
  }

  /** What one server was asked in this turn leaves now. In a cluster it leaves when the turn ends. */
  flush(): void {
    this.gathering?.uncork();
    this.gathering?.cork();
  }

  private throughOne({ stream }: Redis): void {
    if (!stream || stream === this.gathering) return;
    this.gathering = stream;
    stream.cork();
    process.nextTick(() => {
      if (this.gathering === stream) this.gathering = undefined;
      stream.uncork();
    });
  }

  private throughAll(client: Exclude<Client, Redis>): void {
    if (client === this.cluster) return;
    this.cluster = client;
    const streams = client.nodes('master').flatMap(({ stream }) => stream ?? []);
    for (const stream of streams) stream.cork();
    process.nextTick(() => {
      if (this.cluster === client) this.cluster = undefined;
      for (const stream of streams) stream.uncork();
    });
  }
}
