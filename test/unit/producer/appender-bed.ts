import { bytesOf } from '../../../lib/core/message/frame.js';
import type { Acks } from '../../../lib/core/message/acks.js';
import type { SendResult } from '../../../lib/core/message/message.js';
import { PendingSend } from '../../../lib/core/producer/pending-send.js';
import { QueueAppender } from '../../../lib/core/producer/queue-appender.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';
import { ScriptedLog } from './scripted-log.js';

export const TIMEOUT_MS = 10_000;

/** One queue whose store answers what a test says, and what became of each send to it. A message has its body for its id. */
export class AppenderBed {
  readonly clock = new ManualClock();
  readonly log = new ScriptedLog();
  /** Bodies that were handed back since the topic changed. */
  readonly moved: string[][] = [];
  readonly outcomes = new Map<string, SendResult | Error>();
  readonly appender = new QueueAppender({
    topic: 'orders',
    queue: 0,
    generation: 1,
    log: this.log,
    clock: this.clock,
    session: 's',
    batch: { messages: 100, bytes: 10_000 },
    onMoved: (sends) =>
      this.moved.push(sends.map(({ message }) => bytesOf(message.frame).toString())),
  });

  /** Enqueues at once; `await turn()` lets the calls leave. */
  send(...bodies: string[]): void {
    for (const body of bodies) this.appender.enqueue(this.pending(body));
  }

  pending(
    body: string,
    { acks, onFailed }: { acks?: Acks | undefined; onFailed?: () => void } = {},
  ): PendingSend {
    return new PendingSend({
      message: {
        frame: Buffer.from(body),
        messageId: body,
        topic: 'orders',
        acks,
        deadline: this.clock.monotonic() + TIMEOUT_MS,
        timeoutMs: TIMEOUT_MS,
      },
      route: { by: 'turn' },
      answer: {
        resolve: (result) => this.outcomes.set(body, result),
        reject: (error) => {
          this.outcomes.set(body, error);
          onFailed?.();
        },
      },
    });
  }

  turn(): Promise<void> {
    return this.clock.settle();
  }

  /** Longer than any pause of a recovery, shorter than any deadline. */
  pause(): Promise<void> {
    return this.clock.advance(1_000);
  }

  /** Bodies that were stored, in the order of their answers. */
  stored(): string[] {
    return [...this.outcomes].filter(([, outcome]) => 'offset' in outcome).map(([body]) => body);
  }

  rejectedWith(type: new (...args: never[]) => Error): string[] {
    return [...this.outcomes]
      .filter(([, outcome]) => outcome instanceof type)
      .map(([body]) => body);
  }
}

export function many(from: number, count: number): string[] {
  return Array.from({ length: count }, (_, i) => String(from + i));
}
