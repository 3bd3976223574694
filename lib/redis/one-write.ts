import type { Redis } from 'ioredis';
import type { Client } from './connection.js';
import type { Commands, ScriptHost } from './script.js';

/**
 * What is asked through it within one turn of the event loop leaves in one write, when the turn ends. For many small
 * commands: each write is a system call that wakes Redis and costs more than the command.
 */
export class OneWrite {
  /** What gathers in this turn: a connection, or a cluster. */
  private gathering: object | undefined;
  /** That connection, or those to the nodes. */
  private streams: readonly Redis['stream'][] = [];

  /** The client, ready to be asked. */
  through<C extends Client>(client: C): C {
    if (client.isCluster) this.throughAll(client as Exclude<Client, Redis>);
    else this.throughOne(client as Redis);
    return client;
  }

  /** What was asked in this turn leaves now. */
  flush(): void {
    for (const stream of this.streams) {
      stream.uncork();
      stream.cork();
    }
  }

  private throughOne({ stream }: Redis): void {
    if (stream && stream !== this.gathering) this.hold(stream, [stream]);
  }

  private throughAll(client: Exclude<Client, Redis>): void {
    if (client === this.gathering) return;
    this.hold(
      client,
      client.nodes('master').flatMap(({ stream }) => stream ?? []),
    );
  }

  private hold(gathering: object, streams: readonly Redis['stream'][]): void {
    this.gathering = gathering;
    this.streams = streams;
    for (const stream of streams) stream.cork();
    process.nextTick(() => {
      if (this.gathering === gathering) {
        this.gathering = undefined;
        this.streams = [];
      }
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
