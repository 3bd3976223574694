/** One entry of the trace that handlers write: its place in the trace is when it happened. */
export interface Trace {
  kind: 'start' | 'end';
  /** Whether the handler had succeeded, at its end. */
  ok: boolean;
  group: string;
  seq: number;
  /** The process. */
  who: string;
  token: number;
  /** Whether the signal of the handler had aborted, at its end. */
  aborted: boolean;
}

export interface OrderReport {
  violations: string[];
  /** Messages that a handler finished. */
  done: number;
  /** Starts of a message that had been finished before: its ack was lost. */
  again: number;
  /** Starts beside a handler of a process that was frozen or dead. */
  besideZombies: number;
  /** Handlers that ended after somebody else had followed. */
  zombieEnds: number;
}

/**
 * Reads a trace for what must never be: two handlers of a group at once, a message before its predecessor is done, an
 * older one than the last. `excused`: processes that were killed or frozen, which nobody can keep from overlapping; they
 * must know it by their signals when they end.
 */
export function checkOrder(trace: readonly Trace[], excused: ReadonlySet<string>): OrderReport {
  const report: OrderReport = {
    ...{ violations: [], done: 0, again: 0 },
    ...{ besideZombies: 0, zombieEnds: 0 },
  };
  const groups = new Map<string, GroupState>();
  for (const entry of trace) {
    const state = groups.get(entry.group) ?? { last: 0, token: 0, open: [] };
    groups.set(entry.group, state);
    const problem =
      entry.kind === 'start'
        ? onStart(state, entry, excused, report)
        : onEnd(state, entry, excused, report);
    if (problem) report.violations.push(`${entry.group}/${entry.seq} of ${entry.who}: ${problem}`);
  }
  report.done = [...groups.values()].reduce((sum, { last }) => sum + last, 0);
  return report;
}

interface GroupState {
  /** The last message that was finished. */
  last: number;
  /** The highest fencing token of a start. */
  token: number;
  open: Trace[];
}

function onStart(
  state: GroupState,
  entry: Trace,
  excused: ReadonlySet<string>,
  report: OrderReport,
): string | undefined {
  const { seq, who, token } = entry;
  const beside = state.open.filter((other) => !excused.has(other.who));
  const isLate = token < state.token;
  if (state.open.length > 0) report.besideZombies += 1;
  state.open.push(entry);
  // Frozen between the record and the call: no broker can prevent that, and the token tells.
  if (isLate) return excused.has(who) ? undefined : 'started after a newer owner had started';
  state.token = token;
  if (beside.length > 0) return `started while ${beside[0]!.seq} of ${beside[0]!.who} ran`;
  if (seq === state.last + 1) return undefined;
  if (seq !== state.last) return `started after ${state.last} was done`;
  report.again += 1;
  return undefined;
}

function onEnd(
  state: GroupState,
  entry: Trace,
  excused: ReadonlySet<string>,
  report: OrderReport,
): string | undefined {
  const { seq, who, token, ok, aborted } = entry;
  state.open = state.open.filter((other) => other.who !== who || other.seq !== seq);
  if (token < state.token) {
    report.zombieEnds += 1;
    if (!excused.has(who)) return 'ended after a newer owner had started';
    return aborted ? undefined : 'ended without knowing that a newer owner had started';
  }
  if (ok && seq === state.last + 1) state.last = seq;
  return undefined;
}
