import type {
  BeginReply,
  DedupClaim,
  DedupRecord,
  DedupRef,
  DedupStore,
} from '../core/store/dedup-store.js';
import type { Connections } from './connections.js';
import { answer } from './errors.js';
import type { Keys } from './keys.js';
import { scripts } from './scripts.js';

type Kind = 'begin' | 'renew' | 'complete' | 'abandon';

/** A class, as everything that lives through a call (decision 7). */
class Asked {
  readonly key: string;
  /** What is asked for, but by whom. */
  readonly change: string;
  readonly owner: string;
  readonly result: Buffer | undefined;
  readonly answer: (word: Buffer) => void;
  readonly fail: (error: Error) => void;

  constructor(
    asked: { key: string; change: string; owner: string; result: Buffer | undefined },
    answer: (word: Buffer) => void,
    fail: (error: Error) => void,
  ) {
    this.key = asked.key;
    this.change = asked.change;
    this.owner = asked.owner;
    this.result = asked.result;
    this.answer = answer;
    this.fail = fail;
  }
}

const MOST_PER_CALL = 250;
/** So many leave at once, and Redis works on them while this process makes more: decision 20. */
const RUN = 32;
const GRANTED = Buffer.from('granted');
const LETTERS: Readonly<Record<Kind, string>> = {
  begin: 'b',
  renew: 'r',
  complete: 'c',
  abandon: 'a',
};
const NEW: BeginReply = { state: 'new' };

/**
 * One string per record. What is asked in one turn of the event loop travels together: in runs, or in one call per slot
 * where a script may not touch several.
 */
export class RedisDedupStore implements DedupStore {
  private readonly connections: Connections;
  private readonly keys: Keys;
  private waiting: Asked[] = [];
  private planned = false;

  constructor(options: { connections: Connections; keys: Keys }) {
    this.connections = options.connections;
    this.keys = options.keys;
  }

  begin(ref: DedupRef, { owner, leaseMs }: DedupClaim): Promise<BeginReply> {
    return this.ask(ref, { kind: 'begin', owner, ms: leaseMs, read: beginReply });
  }

  renew(ref: DedupRef, { owner, leaseMs }: DedupClaim): Promise<'renewed' | 'lost'> {
    const read = (word: Buffer): 'renewed' | 'lost' => (isGranted(word) ? 'renewed' : 'lost');
    return this.ask(ref, { kind: 'renew', owner, ms: leaseMs, read });
  }

  complete(
    ref: DedupRef,
    { owner, ttlMs, result }: { owner: string; ttlMs: number; result?: Buffer | undefined },
  ): Promise<'completed' | 'lost'> {
    return this.ask(ref, { kind: 'complete', owner, ms: ttlMs, result, read: completeReply });
  }

  abandon(ref: DedupRef, owner: string): Promise<'abandoned' | 'lost'> {
    const read = (word: Buffer): 'abandoned' | 'lost' => (isGranted(word) ? 'abandoned' : 'lost');
    return this.ask(ref, { kind: 'abandon', owner, ms: 0, read });
  }

  async find(ref: DedupRef): Promise<DedupRecord | undefined> {
    const key = this.keys.dedupRecord(ref);
    const { redis } = this.connections;
    const [bytes, leftMs] = await Promise.all([
      answer({ operation: 'GET', key }, redis.getBuffer(key)),
      answer({ operation: 'PTTL', key }, redis.pttl(key)),
    ]);
    const text = bytes?.toString('latin1') ?? '';
    const [, state, owner = '', result = ''] = /^([PD]) \d+ (\S+) ?([^]*)$/.exec(text) ?? [];
    if (state === 'P') return { state: 'in-progress', owner, leftMs: Math.max(0, leftMs) };
    if (state !== 'D') return undefined;
    return { state: 'done', result: resultOf(Buffer.from(result, 'latin1')) };
  }

  async forget(ref: DedupRef): Promise<boolean> {
    const key = this.keys.dedupRecord(ref);
    const { redis } = this.connections;
    return (await answer({ operation: 'UNLINK', key }, redis.unlink(key))) > 0;
  }

  private ask<Reply>(
    ref: DedupRef,
    {
      kind,
      owner,
      ms,
      result,
      read,
    }: {
      kind: Kind;
      owner: string;
      ms: number;
      result?: Buffer | undefined;
      read(word: Buffer): Reply;
    },
  ): Promise<Reply> {
    return new Promise((resolve, fail) => {
      const key = this.keys.dedupRecord(ref);
      const change = `${result ? 'k' : LETTERS[kind]} ${ms}`;
      const asked = new Asked({ key, change, owner, result }, (word) => resolve(read(word)), fail);
      const length = this.waiting.push(asked);
      this.sendLater();
      // Where each slot takes a call of its own, a run of them would be that many calls.
      if (length < RUN || !this.connections.spansSlots) return;
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
    if (this.waiting.length === 0) return;
    const asked = this.waiting;
    this.waiting = [];
    for (const group of this.connections.spansSlots ? [asked] : bySlot(asked))
      for (let i = 0; i < group.length; i += MOST_PER_CALL)
        void this.send(group.slice(i, i + MOST_PER_CALL));
  }

  private async send(asked: readonly Asked[]): Promise<void> {
    try {
      const words = (await scripts.dedup.runBinary(this.connections.gathered, {
        keys: {},
        moreKeys: asked.map(({ key }) => key),
        args: { changes: joinedChanges(asked) },
        moreArgs: asked.map(({ result }) => result).filter((result) => result !== undefined),
      })) as Buffer[];
      // One word for all of them, unless there are as many words as questions.
      const isEach = asked.length === words.length;
      asked.forEach((one, i) => one.answer(isEach ? words[i]! : GRANTED));
    } catch (error) {
      for (const one of asked) one.fail(error as Error);
    }
  }
}

/** Neighbours that ask alike share a line. */
function joinedChanges(asked: readonly Asked[]): string {
  let lines = '';
  let last: string | undefined;
  for (const { change, owner } of asked) {
    lines += change === last ? ` ${owner}` : `${last === undefined ? '' : '\n'}${change} ${owner}`;
    last = change;
  }
  return `${lines}\n`;
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
    const tag = one.key.slice(0, one.key.indexOf('}'));
    const group = groups.get(tag);
    if (group) group.push(one);
    else groups.set(tag, [one]);
  }
  return [...groups.values()];
}
