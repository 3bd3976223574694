import { Redis } from 'ioredis';

/** One entry of the trace that handlers write: its place in the trace is when it happened. */
export interface Trace {
  /** `told`: what the signal of a handler said once timers that were overdue at its end had run. */
  kind: 'start' | 'end' | 'told';
  /** Whether the handler had succeeded, at its end. */
  ok: boolean;
  group: string;
  seq: number;
  /** The process. */
  who: string;
  token: number;
  /** Whether the signal of the handler has aborted, when `told`. */
  aborted: boolean;
}

export interface OrderReport {
  violations: string[];
  /** Messages that a handler finished. */
  done: number;
  /** Starts of messages that had been finished before: acks were lost. */
  again: number;
  /** Starts beside a handler of a process that was frozen or dead. */
  besideZombies: number;
  /** Handlers that ended after somebody else had followed. */
  zombieEnds: number;
}

/**
 * Reads a trace for what must never be: two handlers of a group at once, a message before its predecessor is done, an
 * older one than the last. `excused`: processes that were killed or frozen, which nobody can keep from overlapping; they
 * must know it by their signals as soon as their timers run: not earlier, since a process that stood still between a
 * timer and what follows it has no way to notice. `mayRewind`: a replica that took over may lack the last settles, so that a
 * group begins again earlier, and leaves out nothing from there.
 */
export function checkOrder(
  trace: readonly Trace[],
  excused: ReadonlySet<string>,
  { mayRewind = false } = {},
): OrderReport {
  const report: OrderReport = {
    ...{ violations: [], done: 0, again: 0 },
    ...{ besideZombies: 0, zombieEnds: 0 },
  };
  const groups = new Map<string, GroupState>();
  const reactions = { start: onStart, end: onEnd, told: onTold };
  for (const entry of trace) {
    const state = groups.get(entry.group) ?? { last: 0, token: 0, open: [], followed: [] };
    groups.set(entry.group, state);
    if (mayRewind && entry.kind === 'start' && entry.seq < state.last) state.last = entry.seq;
    const problem = reactions[entry.kind](state, entry, excused, report);
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
  /** Handlers that ended after somebody else had followed. */
  followed: Trace[];
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
  const { seq, who, token, ok } = entry;
  state.open = state.open.filter((other) => !isSameHandler(other, entry));
  if (token < state.token) {
    report.zombieEnds += 1;
    state.followed.push(entry);
    return excused.has(who) ? undefined : 'ended after a newer owner had started';
  }
  if (ok && seq === state.last + 1) state.last = seq;
  return undefined;
}

function onTold({ followed }: GroupState, entry: Trace): string | undefined {
  const wasFollowed = followed.some((other) => isSameHandler(other, entry));
  return wasFollowed && !entry.aborted
    ? 'was not told by its signal that a newer owner had started'
    : undefined;
}

function isSameHandler(one: Trace, other: Trace): boolean {
  return one.who === other.who && one.seq === other.seq;
}

/** What the programs left in this Redis, in its order. */
export async function readTrace(url: string): Promise<Trace[]> {
  const redis = new Redis(url);
  const entries = (await redis.xrange('trace', '-', '+')) as [string, string[]][];
  redis.disconnect();
  return entries.map(([, fields]) => {
    const facts = new Map<string, string>();
    for (let i = 0; i < fields.length; i += 2) facts.set(fields[i]!, fields[i + 1]!);
    return {
      kind: facts.get('kind') as Trace['kind'],
      group: facts.get('group')!,
      seq: Number(facts.get('seq')),
      who: facts.get('who')!,
      token: Number(facts.get('token')),
      ok: facts.get('ok') === '1',
      aborted: facts.get('aborted') === '1',
    };
  });
}
