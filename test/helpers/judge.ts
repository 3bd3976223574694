import type { Answer, Happening } from './history.js';

/** Each list names messages, those of a consumer group as `group key`. Only `again` is allowed to happen. */
export interface Verdict {
  sent: number;
  confirmed: number;
  failed: number;
  unknown: number;
  /** Sends that were never answered. */
  hung: string[];
  /** Confirmed, not handled, and gone from the store. */
  lost: string[];
  /** Confirmed and still in the store, but not handled or not settled. */
  stuck: string[];
  /** Answered as failed, and handled or stored all the same. */
  ghosts: string[];
  /** Handled or stored, although nobody sent them. */
  phantoms: string[];
  /** Stored more than once. */
  doubled: string[];
  /** Of an ordered group: first handled after a later message of their lane. */
  reordered: string[];
  /** Of an ordered group: first handled while an earlier confirmed message of their lane was not. */
  overtook: string[];
  /** Handled once more after they had been handled: what "at least once" allows. */
  again: number;
  /**
   * Longest time from a healing until a message that was sent after it is confirmed, and until one is handled; `null`:
   * nothing was healed.
   */
  sendsBackMs: number | null;
  handlingBackMs: number | null;
  /** Longest time without a handled message, from the first to the last. */
  longestGapMs: number;
}

export interface Scene {
  /** Keys of the messages that stand in the logs at the end, as often as they stand there. */
  stored?: Iterable<string>;
  /** Consumer groups that must have handled everything. Default the one without a name. */
  groups?: readonly string[];
  /** Those of them that handle in order. */
  ordered?: readonly string[];
  /** Whether the history says what was settled. Default false. */
  tellsSettled?: boolean;
}

/** Reads a history for what must never be. Pure: `test/faults/history.spec.ts` shows that it sees each of them. */
export function judge(happenings: readonly Happening[], scene: Scene = {}): Verdict {
  const sends = sendsOf(happenings);
  const stored = scene.stored && timesOf(scene.stored);
  const groups = (scene.groups ?? ['']).map((group) => groupOf(happenings, group));
  const keysThat = (answer: Answer): string[] =>
    [...sends].flatMap(([key, send]) => (send.answer === answer ? [key] : []));
  const confirmed = keysThat('confirmed');
  const failed = keysThat('failed');
  const there = new Set([
    ...(stored?.keys() ?? []),
    ...groups.flatMap(({ first }) => [...first.keys()]),
  ]);
  const missing = groups.flatMap((group) =>
    confirmed.flatMap((key) => {
      if (!group.first.has(key))
        return [{ key, name: named(group, key), isGone: !stored?.has(key) }];
      if (!scene.tellsSettled || group.settled.has(key)) return [];
      return [{ key, name: named(group, key), isGone: false }];
    }),
  );
  const inOrder = groups.filter(({ name }) => scene.ordered?.includes(name));
  return {
    sent: sends.size,
    confirmed: confirmed.length,
    failed: failed.length,
    unknown: keysThat('unknown').length,
    hung: [...sends].flatMap(([key, { answer }]) => (answer === undefined ? [key] : [])),
    lost: missing.flatMap(({ name, isGone }) => (isGone ? [name] : [])),
    stuck: missing.flatMap(({ name, isGone }) => (isGone ? [] : [name])),
    ghosts: failed.filter((key) => there.has(key)),
    phantoms: [...there].filter((key) => !sends.has(key)),
    doubled: [...(stored ?? [])].flatMap(([key, times]) => (times > 1 ? [key] : [])),
    reordered: inOrder.flatMap((group) => reordered(group, sends)),
    overtook: inOrder.flatMap((group) => overtook(group, sends)),
    again: groups.reduce((sum, { again }) => sum + again, 0),
    ...recovery(happenings),
  };
}

interface Send {
  answer: Answer | undefined;
  lane: string | undefined;
  seq: number;
}

interface Group {
  name: string;
  /** Keys in the order in which they were first handled; the value is their place. */
  first: Map<string, number>;
  settled: Set<string>;
  again: number;
}

function sendsOf(happenings: readonly Happening[]): Map<string, Send> {
  const sends = new Map<string, Send>();
  for (const { kind, key, lane, seq } of happenings) {
    if (kind === 'sent') sends.set(key, { answer: undefined, lane, seq });
    const send = sends.get(key);
    if (send && (kind === 'confirmed' || kind === 'failed' || kind === 'unknown'))
      send.answer = kind;
  }
  return sends;
}

function groupOf(happenings: readonly Happening[], name: string): Group {
  const group: Group = { name, first: new Map(), settled: new Set(), again: 0 };
  for (const { kind, key, group: of } of happenings) {
    if (of !== name) continue;
    if (kind === 'settled') group.settled.add(key);
    if (kind !== 'handled') continue;
    if (group.first.has(key)) group.again += 1;
    else group.first.set(key, group.first.size);
  }
  return group;
}

function timesOf(keys: Iterable<string>): Map<string, number> {
  const times = new Map<string, number>();
  for (const key of keys) times.set(key, (times.get(key) ?? 0) + 1);
  return times;
}

function reordered(group: Group, sends: ReadonlyMap<string, Send>): string[] {
  const highest = new Map<string, number>();
  return [...group.first.keys()]
    .filter((key) => {
      const { lane, seq } = sends.get(key) ?? {};
      if (lane === undefined || seq === undefined) return false;
      const before = highest.get(lane) ?? -1;
      highest.set(lane, Math.max(before, seq));
      return seq < before;
    })
    .map((key) => named(group, key));
}

function overtook(group: Group, sends: ReadonlyMap<string, Send>): string[] {
  const lanes = new Map<string, { key: string; seq: number }[]>();
  for (const [key, { lane, seq, answer }] of sends) {
    if (lane === undefined || answer !== 'confirmed') continue;
    const members = lanes.get(lane) ?? [];
    lanes.set(lane, members);
    members.push({ key, seq });
  }
  const placeOf = (key: string): number => group.first.get(key) ?? Infinity;
  return [...lanes.values()].flatMap((lane) => {
    const bySeq = lane.toSorted((a, b) => a.seq - b.seq);
    let latest = -1;
    return bySeq.flatMap(({ key }) => {
      const place = placeOf(key);
      const isAhead = place < latest;
      latest = Math.max(latest, place);
      return isAhead ? [named(group, key)] : [];
    });
  });
}

function recovery(
  happenings: readonly Happening[],
): Pick<Verdict, 'sendsBackMs' | 'handlingBackMs' | 'longestGapMs'> {
  const times = (kind: Happening['kind']): number[] =>
    happenings.flatMap((one) => (one.kind === kind ? [one.atMs] : []));
  const healed = times('healed');
  const handled = times('handled');
  const sentAt = new Map<string, number>();
  for (const { kind, key, atMs } of happenings) if (kind === 'sent') sentAt.set(key, atMs);
  const backAfter = (sign: 'confirmed' | 'handled'): number | null => {
    const waits = healed.map((at) => {
      const isNew = ({ kind, key }: Happening): boolean =>
        kind === sign && (sentAt.get(key) ?? -1) >= at;
      return (happenings.find(isNew)?.atMs ?? Infinity) - at;
    });
    return waits.length === 0 ? null : Math.round(Math.max(...waits));
  };
  const gaps = handled.slice(1).map((at, i) => at - handled[i]!);
  return {
    sendsBackMs: backAfter('confirmed'),
    handlingBackMs: backAfter('handled'),
    longestGapMs: Math.round(gaps.reduce((a, b) => Math.max(a, b), 0)),
  };
}

function named({ name }: Group, key: string): string {
  return name ? `${name} ${key}` : key;
}
