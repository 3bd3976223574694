import type { MessageView } from '../../message/message.js';
import { Attempt } from '../attempt.js';
import type { HandlerTimeoutError } from '../handler-errors.js';
import type { Outcome } from '../outcome.js';
import type { Head, Lane } from './lane.js';

/** One message of a lane under way: its start is planned, its handler runs, or its settle is on its way. */
export class LaneRun extends Attempt {
  readonly head: Head;
  readonly laneName: string;
  /** Undefined while the queue is loaded anew. */
  lane: Lane | undefined;
  state: 'planned' | 'running' | 'ended' = 'planned';
  outcome: Outcome | undefined = undefined;
  timeout: HandlerTimeoutError | undefined = undefined;
  /** Neighbours in `LaneRuns`, and whether it stands there. */
  before: LaneRun | undefined = undefined;
  after: LaneRun | undefined = undefined;
  isListed = false;

  constructor(options: {
    lane: Lane;
    head: Head;
    message: MessageView;
    group: string;
    startedAt: number;
    fencingToken: number;
    whenOver: () => void;
  }) {
    super({
      entry: options.head,
      message: options.message,
      group: options.group,
      startedAt: options.startedAt,
      fencingToken: options.fencingToken,
      whenOver: options.whenOver,
    });
    this.head = options.head;
    this.lane = options.lane;
    this.laneName = options.lane.name;
  }
}

/** All of one queue, oldest first. A list that lets go of what leaves it: see decision 13. */
export class LaneRuns {
  private first: LaneRun | undefined;
  private last: LaneRun | undefined;

  get isEmpty(): boolean {
    return this.first === undefined;
  }

  /** As they are now: each may be taken out while one looks at them. */
  all(): LaneRun[] {
    const runs: LaneRun[] = [];
    for (let run = this.first; run; run = run.after) runs.push(run);
    return runs;
  }

  add(run: LaneRun): void {
    run.before = this.last;
    if (this.last) this.last.after = run;
    else this.first = run;
    this.last = run;
    run.isListed = true;
  }

  /** What is not there (any more) is left alone. */
  remove(run: LaneRun): void {
    if (!run.isListed) return;
    const { before, after } = run;
    if (before) before.after = after;
    else this.first = after;
    if (after) after.before = before;
    else this.last = before;
    run.before = undefined;
    run.after = undefined;
    run.isListed = false;
  }
}
