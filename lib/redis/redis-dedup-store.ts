import type {
  BeginAsker,
  CompleteAsker,
  DedupClaim,
  DedupCompletion,
  DedupRecord,
  DedupRef,
  DedupStore,
} from '../core/store/dedup-store.js';
import type { Connections } from './connections.js';
import {
  type Asked,
  AskedBegin,
  AskedComplete,
  AskedGrant,
  GRANTED,
  resultOf,
} from './dedup-asked.js';
import { DedupPlaces, FIELD_WIDTH } from './dedup-places.js';
import { answer } from './errors.js';
import type { Keys } from './keys.js';
import { RunLength } from './run-length.js';
import { scripts } from './scripts.js';

const MOST_PER_CALL = 250;

/**
 * Records lie where `DedupPlaces` says. What is asked in one turn of the event loop travels together: in runs, or in one call per slot
 * where a script may not touch several.
 */
export class RedisDedupStore implements DedupStore {
  private readonly connections: Connections;
  private readonly places: DedupPlaces;
  /** Apart, since neighbours that ask alike cost less: handlers end and begin in turn. */
  private begins: Asked[] = [];
  private others: Asked[] = [];
  /** So many leave at once, and Redis works on them while this process makes more: decision 20. */
  private readonly run = new RunLength();
  private planned = false;

  constructor(options: { connections: Connections; keys: Keys }) {
    this.connections = options.connections;
    this.places = new DedupPlaces(options);
  }

  recordOf(ref: DedupRef, known?: { isMessageId: boolean }): DedupRef {
    return this.places.of(ref, known);
  }

  begin(ref: DedupRef, { owner, leaseMs }: DedupClaim, asker: BeginAsker): void {
    const place = this.places.of(ref);
    this.begins.push(new AskedBegin({ place, kind: 'b', ms: leaseMs, owner }, asker));
    this.run.begun();
    this.sendSoon();
  }

  async renew(ref: DedupRef, { owner, leaseMs }: DedupClaim): Promise<'renewed' | 'lost'> {
    return (await this.askGrant(ref, { kind: 'r', ms: leaseMs, owner })) ? 'renewed' : 'lost';
  }

  complete(ref: DedupRef, { owner, ttlMs, result }: DedupCompletion, asker: CompleteAsker): void {
    const place = this.places.of(ref);
    const question = { place, kind: result ? 'k' : 'c', ms: ttlMs, owner, result } as const;
    this.others.push(new AskedComplete(question, asker));
    this.sendSoon();
  }

  async abandon(ref: DedupRef, owner: string): Promise<'abandoned' | 'lost'> {
    return (await this.askGrant(ref, { kind: 'a', ms: 0, owner })) ? 'abandoned' : 'lost';
  }

  async find(ref: DedupRef): Promise<DedupRecord | undefined> {
    const { at: key, field } = this.places.of(ref);
    const { redis, testTimeMs } = this.connections;
    const [bytes, [seconds, micros]] = await Promise.all([
      field === undefined
        ? answer({ operation: 'GET', key }, redis.getBuffer(key))
        : answer({ operation: 'HGET', key }, redis.hgetBuffer(key, field)),
      answer({ operation: 'TIME' }, redis.time()),
    ]);
    const now =
      testTimeMs === '' ? Number(seconds) * 1000 + Number(micros) / 1000 : Number(testTimeMs);
    const text = bytes?.toString('latin1') ?? '';
    const [, state, until, owner = '', result = ''] =
      /^([PD]) (\d+) (\S+) ?([^]*)$/.exec(text) ?? [];
    const leftMs = Number(until) - now;
    if (!(leftMs > 0)) return undefined;
    return state === 'P'
      ? { state: 'in-progress', owner, leftMs }
      : { state: 'done', result: resultOf(Buffer.from(result, 'latin1')) };
  }

  async forget(ref: DedupRef): Promise<boolean> {
    const { at: key, field } = this.places.of(ref);
    const { redis } = this.connections;
    const forgotten =
      field === undefined
        ? answer({ operation: 'UNLINK', key }, redis.unlink(key))
        : answer({ operation: 'HDEL', key }, redis.hdel(key, field));
    return (await forgotten) > 0;
  }

  private askGrant(
    ref: DedupRef,
    question: { kind: 'r' | 'a'; ms: number; owner: string },
  ): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const place = this.places.of(ref);
      this.others.push(new AskedGrant({ place, ...question }, { resolve, reject }));
      this.sendSoon();
    });
  }

  private sendSoon(): void {
    this.sendLater();
    // Where each slot takes a call of its own, a run of them would be that many calls.
    if (this.waiting < this.run.value || !this.connections.spansSlots) return;
    this.sendAll();
    this.connections.gathered.flush();
  }

  private sendLater(): void {
    if (this.planned) return;
    this.planned = true;
    setImmediate(() => {
      this.planned = false;
      this.sendAll();
    });
  }

  private sendAll(): void {
    // What one handler completes often is what another one is about to begin.
    const asked = this.others.concat(this.begins);
    if (asked.length === 0) return;
    this.run.left();
    this.others = [];
    this.begins = [];
    for (const group of this.connections.spansSlots ? [asked] : bySlot(asked))
      for (let i = 0; i < group.length; i += MOST_PER_CALL)
        void this.send(group.slice(i, i + MOST_PER_CALL));
  }

  private async send(asked: readonly Asked[]): Promise<void> {
    const { keys, lines, fields, results, begins } = askedAtOnce(asked);
    let words: Buffer[];
    try {
      words = (await scripts.dedup.runBinary(this.connections.gathered, {
        keys: {},
        moreKeys: keys,
        args: { lines, fields },
        moreArgs: results,
      })) as Buffer[];
    } catch (error) {
      this.run.answered(begins);
      for (const one of asked) one.fail(error);
      return;
    }
    this.run.answered(begins);
    // One word for all of them, unless there are as many words as questions.
    const isEach = asked.length === words.length;
    for (let i = 0; i < asked.length; i++) asked[i]!.answer(isEach ? words[i]! : GRANTED);
  }

  private get waiting(): number {
    return this.begins.length + this.others.length;
  }
}

/** Neighbours that ask alike share a line, and where they share a hash, its key. */
function askedAtOnce(asked: readonly Asked[]): {
  keys: string[];
  lines: string;
  fields: string;
  results: Buffer[];
  begins: number;
} {
  const keys: string[] = [];
  const results: Buffer[] = [];
  let lines = '';
  let fields = '';
  let begins = 0;
  for (let at = 0; at < asked.length;) {
    const first = asked[at]!;
    const from = at;
    for (; at < asked.length && asked[at]!.isAlike(first); at++) {
      const { place, result } = asked[at]!;
      if (place.field === undefined || at === from) keys.push(place.at);
      if (place.field !== undefined) fields += place.field;
      if (result !== undefined) results.push(result);
    }
    const width = first.place.field === undefined ? 0 : FIELD_WIDTH;
    lines += `${first.kind} ${first.ms} ${first.owner} ${at - from} ${width}\n`;
    if (first.kind === 'b') begins += at - from;
  }
  return { keys, lines, fields, results, begins };
}

/** What stands in braces decides the slot. */
function bySlot(asked: readonly Asked[]): Asked[][] {
  const groups = new Map<string, Asked[]>();
  for (const one of asked) {
    const { place } = one;
    const tag = place.at.slice(0, place.at.indexOf('}'));
    const group = groups.get(tag);
    if (group) group.push(one);
    else groups.set(tag, [one]);
  }
  return [...groups.values()];
}
