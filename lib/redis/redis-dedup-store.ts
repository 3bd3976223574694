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

interface Asked {
  readonly key: string;
  readonly args: readonly [kind: Kind, owner: string, ms: string, bytes: Buffer | ''];
  resolve(word: Buffer): void;
  reject(error: Error): void;
}

const MOST_PER_CALL = 250;
const GRANTED = Buffer.from('granted');

/**
 * One string per record. What is asked in one turn of the event loop travels together: in one call, or in one per slot
 * where a script may not touch several.
 */
export class RedisDedupStore implements DedupStore {
  private readonly connections: Connections;
  private readonly keys: Keys;
  private waiting: Asked[] = [];

  constructor(options: { connections: Connections; keys: Keys }) {
    this.connections = options.connections;
    this.keys = options.keys;
  }

  async begin(ref: DedupRef, { owner, leaseMs }: DedupClaim): Promise<BeginReply> {
    const word = await this.ask(ref, ['begin', owner, String(leaseMs), '']);
    if (word === GRANTED) return { state: 'new' };
    const text = word.toString('latin1', 0, 5);
    if (text === 'busy ') return { state: 'busy', leftMs: Number(word.toString('latin1', 5)) };
    if (text === 'done ') return { state: 'done', result: resultOf(word.subarray(5)) };
    return { state: 'new' };
  }

  async renew(ref: DedupRef, { owner, leaseMs }: DedupClaim): Promise<'renewed' | 'lost'> {
    const word = await this.ask(ref, ['renew', owner, String(leaseMs), '']);
    return isGranted(word) ? 'renewed' : 'lost';
  }

  async complete(
    ref: DedupRef,
    done: { owner: string; ttlMs: number; result?: Buffer | undefined },
  ): Promise<'completed' | 'lost'> {
    const { owner, ttlMs, result = '' } = done;
    const word = await this.ask(ref, ['complete', owner, String(ttlMs), result]);
    return isGranted(word) ? 'completed' : 'lost';
  }

  async abandon(ref: DedupRef, owner: string): Promise<'abandoned' | 'lost'> {
    return isGranted(await this.ask(ref, ['abandon', owner, '', ''])) ? 'abandoned' : 'lost';
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

  private ask(ref: DedupRef, args: Asked['args']): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      const length = this.waiting.push({ key: this.keys.dedupRecord(ref), args, resolve, reject });
      if (length === 1) setImmediate(() => this.sendAll());
    });
  }

  private sendAll(): void {
    const asked = this.waiting;
    this.waiting = [];
    for (const group of this.connections.spansSlots ? [asked] : bySlot(asked))
      for (let i = 0; i < group.length; i += MOST_PER_CALL)
        void this.send(group.slice(i, i + MOST_PER_CALL));
  }

  private async send(asked: readonly Asked[]): Promise<void> {
    try {
      const words = (await scripts.dedup.runBinary(this.connections, {
        keys: {},
        moreKeys: asked.map(({ key }) => key),
        args: {},
        moreArgs: asked.flatMap(({ args }) => args),
      })) as Buffer[];
      // One word for all of them, unless there are as many words as questions.
      asked.forEach(({ resolve }, i) =>
        resolve(asked.length === words.length ? words[i]! : GRANTED),
      );
    } catch (error) {
      for (const { reject } of asked) reject(error as Error);
    }
  }
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
