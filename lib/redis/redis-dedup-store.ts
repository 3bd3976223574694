import type {
  BeginReply,
  DedupClaim,
  DedupRecord,
  DedupRef,
  DedupStore,
} from '../core/store/dedup-store.js';
import type { Connections } from './connections.js';
import { type DedupPlace, DedupPlaces, FIELD_WIDTH } from './dedup-places.js';
import { answer } from './errors.js';
import type { Keys } from './keys.js';
import { RunLength } from './run-length.js';
import { scripts } from './scripts.js';

/** As the script calls them; `k` is a completion that keeps its result. */
const Kind = { begin: 'b', renew: 'r', complete: 'c', abandon: 'a' } as const;
const KEEPING = 'k';

interface Question {
  kind: (typeof Kind)[keyof typeof Kind];
  owner: string;
  ms: number;
  result?: Buffer | undefined;
}

/** A class, as everything that lives through a call (decision 7). */
class Asked {
  readonly place: DedupPlace;
  readonly letter: string;
  readonly ms: number;
  readonly owner: string;
  readonly result: Buffer | undefined;
  readonly answer: (word: Buffer) => void;
  readonly fail: (error: Error) => void;

  constructor(
    place: DedupPlace,
    { kind, ms, owner, result }: Question,
    { answer, fail }: { answer(word: Buffer): void; fail(error: Error): void },
  ) {
    this.place = place;
    this.letter = result ? KEEPING : kind;
    this.ms = ms;
    this.owner = owner;
    this.result = result;
    this.answer = answer;
    this.fail = fail;
  }

  /** Whether both stand in one line. */
  isAlike({ place, letter, ms, owner }: Asked): boolean {
    if (letter !== this.letter || ms !== this.ms || owner !== this.owner) return false;
    return place.field === undefined ? this.place.field === undefined : place.at === this.place.at;
  }
}

const MOST_PER_CALL = 250;
const GRANTED = Buffer.from('granted');
const NEW: BeginReply = { state: 'new' };

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

  recordOf(ref: DedupRef): DedupRef {
    return this.places.of(ref);
  }

  begin(ref: DedupRef, { owner, leaseMs }: DedupClaim): Promise<BeginReply> {
    return this.ask(ref, { kind: Kind.begin, owner, ms: leaseMs, read: beginReply });
  }

  renew(ref: DedupRef, { owner, leaseMs }: DedupClaim): Promise<'renewed' | 'lost'> {
    const read = (word: Buffer): 'renewed' | 'lost' => (isGranted(word) ? 'renewed' : 'lost');
    return this.ask(ref, { kind: Kind.renew, owner, ms: leaseMs, read });
  }

  complete(
    ref: DedupRef,
    { owner, ttlMs, result }: { owner: string; ttlMs: number; result?: Buffer | undefined },
  ): Promise<'completed' | 'lost'> {
    return this.ask(ref, { kind: Kind.complete, owner, ms: ttlMs, result, read: completeReply });
  }

  abandon(ref: DedupRef, owner: string): Promise<'abandoned' | 'lost'> {
    const read = (word: Buffer): 'abandoned' | 'lost' => (isGranted(word) ? 'abandoned' : 'lost');
    return this.ask(ref, { kind: Kind.abandon, owner, ms: 0, read });
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

  private ask<Reply>(
    ref: DedupRef,
    question: Question & { read(word: Buffer): Reply },
  ): Promise<Reply> {
    return new Promise((resolve, fail) => {
      const answer = (word: Buffer): void => resolve(question.read(word));
      const asked = new Asked(this.places.of(ref), question, { answer, fail });
      if (question.kind === Kind.begin) {
        this.begins.push(asked);
        this.run.begun();
      } else this.others.push(asked);
      this.sendLater();
      // Where each slot takes a call of its own, a run of them would be that many calls.
      if (this.waiting < this.run.value || !this.connections.spansSlots) return;
      this.sendAll();
      this.connections.gathered.flush();
    });
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
    const asked = [...this.others, ...this.begins];
    if (asked.length === 0) return;
    this.run.left();
    this.others = [];
    this.begins = [];
    for (const group of this.connections.spansSlots ? [asked] : bySlot(asked))
      for (let i = 0; i < group.length; i += MOST_PER_CALL)
        void this.send(group.slice(i, i + MOST_PER_CALL));
  }

  private async send(asked: readonly Asked[]): Promise<void> {
    try {
      const { keys, lines, fields } = linesOf(asked);
      const words = (await scripts.dedup.runBinary(this.connections.gathered, {
        keys: {},
        moreKeys: keys,
        args: { lines, fields },
        moreArgs: asked.map(({ result }) => result).filter((result) => result !== undefined),
      })) as Buffer[];
      // One word for all of them, unless there are as many words as questions.
      const isEach = asked.length === words.length;
      asked.forEach((one, i) => one.answer(isEach ? words[i]! : GRANTED));
    } catch (error) {
      for (const one of asked) one.fail(error as Error);
    } finally {
      this.run.answered(asked.filter(({ letter }) => letter === Kind.begin).length);
    }
  }

  private get waiting(): number {
    return this.begins.length + this.others.length;
  }
}

/** Neighbours that ask alike share a line, and where they share a hash, its key. */
function linesOf(asked: readonly Asked[]): { keys: string[]; lines: string; fields: string } {
  const keys: string[] = [];
  let lines = '';
  let fields = '';
  for (let at = 0; at < asked.length;) {
    const first = asked[at]!;
    const from = at;
    for (; at < asked.length && asked[at]!.isAlike(first); at++) {
      const { place } = asked[at]!;
      if (place.field === undefined || at === from) keys.push(place.at);
      if (place.field !== undefined) fields += place.field;
    }
    const width = first.place.field === undefined ? 0 : FIELD_WIDTH;
    lines += `${first.letter} ${first.ms} ${first.owner} ${at - from} ${width}\n`;
  }
  return { keys, lines, fields };
}

function beginReply(word: Buffer): BeginReply {
  if (isGranted(word)) return NEW;
  const text = word.toString('latin1', 0, 5);
  return text === 'busy '
    ? { state: 'busy', leftMs: Number(word.toString('latin1', 5)) }
    : { state: 'done', result: resultOf(word.subarray(5)) };
}

function completeReply(word: Buffer): 'completed' | 'lost' {
  return isGranted(word) ? 'completed' : 'lost';
}

function isGranted(word: Buffer): boolean {
  return word === GRANTED || word.equals(GRANTED);
}

function resultOf(bytes: Buffer): Buffer | undefined {
  return bytes.length === 0 ? undefined : bytes;
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
