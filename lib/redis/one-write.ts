import type { Redis } from 'ioredis';
import type { Client } from './connection.js';
import type { Commands, ScriptHost } from './script.js';

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

/** A host that sends when the turn of the event loop ends, or when it is told to. */
export interface GatheringHost extends ScriptHost {
  flush(): void;
}

export function gatheredHost(host: {
  client: () => Client;
  testTimeMs: () => string;
}): GatheringHost {
  const oneWrite = new OneWrite();
  return {
    get redis(): Commands {
      return oneWrite.through(host.client());
    },
    get testTimeMs() {
      return host.testTimeMs();
    },
    flush: () => oneWrite.flush(),
  };
}
