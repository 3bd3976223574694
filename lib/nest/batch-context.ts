import { BaseRpcContext } from '@nestjs/microservices';
import type { Delivery } from '../core/consumer/subscription.js';
import { RivuletContext } from './rivulet-context.js';

/** What a batch handler may know about the deliveries in its hands: `@Ctx() ctx: BatchContext`. */
export class BatchContext extends BaseRpcContext<
  [deliveries: readonly Delivery[], pattern: unknown]
> {
  private abortion: AbortController | undefined;

  constructor(deliveries: readonly Delivery[], pattern: unknown) {
    super([deliveries, pattern]);
  }

  /** How many messages there are. */
  get size(): number {
    return this.args[0].length;
  }

  /** Of each message, what its handler could know of it alone; in the order of the bodies. */
  get messages(): RivuletContext[] {
    return this.args[0].map((delivery) => new RivuletContext(delivery, this.args[1]));
  }

  /** The consumer group these deliveries belong to. */
  get group(): string {
    return this.args[0][0]!.group;
  }

  /**
   * Aborts when the last of the messages is not ours any more: time is up, they were given to others, or a shutdown
   * waits no longer. Of single ones, `messages[i].signal` tells.
   */
  get signal(): AbortSignal {
    this.abortion ??= this.follow(new AbortController());
    return this.abortion.signal;
  }

  getPattern(): unknown {
    return this.args[1];
  }

  private follow(abortion: AbortController): AbortController {
    const signals = this.args[0].map(({ signal }) => signal);
    const look = (): void => {
      if (signals.every(({ aborted }) => aborted)) abortion.abort(signals.at(-1)!.reason);
    };
    for (const signal of signals) signal.addEventListener('abort', look, { once: true });
    look();
    return abortion;
  }
}
