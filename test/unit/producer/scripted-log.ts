import { bytesOf } from '../../../lib/core/message/frame.js';
import { StoreUnavailableError } from '../../../lib/core/message/errors.js';
import type {
  AppendCall,
  AppendReply,
  AppendResult,
  MessageLog,
  ReopenCall,
  ReopenReply,
} from '../../../lib/core/store/message-log.js';

/** A call that waits for the answer a test gives it. */
export class Asked<Call, Reply> {
  readonly call: Call;
  readonly reply: Promise<Reply>;
  private settle!: { resolve(reply: Reply): void; reject(error: Error): void };

  constructor(call: Call) {
    this.call = call;
    this.reply = new Promise((resolve, reject) => (this.settle = { resolve, reject }));
  }

  answer(reply: Reply): void {
    this.settle.resolve(reply);
  }

  fail(error: Error): void {
    this.settle.reject(error);
  }

  /** The reply is lost: nobody knows whether the store acted. */
  lose(): void {
    this.fail(new StoreUnavailableError('the reply was lost'));
  }
}

/** A log that answers nothing by itself: the test reads the calls and scripts the replies. */
export class ScriptedLog implements MessageLog {
  readonly appends: Asked<AppendCall, AppendReply>[] = [];
  readonly reopens: Asked<ReopenCall, ReopenReply>[] = [];
  /** Largest number of appends that were unanswered at once. */
  mostUnderWay = 0;
  /** Every append is answered with this. */
  refusal: Error | undefined;
  private underWay = 0;
  private offsets = 0;

  append(call: AppendCall): Promise<AppendReply> {
    const asked = new Asked<AppendCall, AppendReply>(call);
    this.appends.push(asked);
    this.underWay += 1;
    this.mostUnderWay = Math.max(this.mostUnderWay, this.underWay);
    if (this.refusal) asked.fail(this.refusal);
    return asked.reply.finally(() => (this.underWay -= 1));
  }

  reopen(call: ReopenCall): Promise<ReopenReply> {
    const asked = new Asked<ReopenCall, ReopenReply>(call);
    this.reopens.push(asked);
    return asked.reply;
  }

  /** What the store answers to a call it carries out. */
  stored(call: AppendCall): AppendResult[] {
    return call.entries.map(() => ({ state: 'stored', offset: `1-${++this.offsets}` }));
  }

  /** Carries out the nth append. */
  store(n: number): void {
    const asked = this.appends[n]!;
    asked.answer({ state: 'appended', results: this.stored(asked.call), repeat: false });
  }

  /** Bodies of the nth append, as a test gave them. */
  bodies(n: number): string[] {
    return this.appends[n]!.call.entries.map(({ frame }) => bytesOf(frame).toString());
  }

  /** Epoch and number of every append so far. */
  get numbers(): string[] {
    return this.appends.map(({ call }) => `${call.epoch}:${call.number}`);
  }

  openReader = () => ({ read: () => Promise.resolve([]), close: () => Promise.resolve() });
  makeRoom = () => Promise.resolve({ dropped: 0, deadLetters: 0 });
  range = () => Promise.resolve([]);
  extent = () => Promise.resolve({ length: 0, first: null, last: null });
  trim = () => Promise.resolve(0);
}
