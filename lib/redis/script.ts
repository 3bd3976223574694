import { createHash } from 'node:crypto';
import type { EventEmitter } from 'node:events';
import type { Cluster, Redis } from 'ioredis';
import { type Asked, storeError } from './errors.js';
import { DirectCommand, type Sendable } from './direct-command.js';
import { luaText } from './lua-text.js';

/** What one server and a cluster are asked alike: commands about keys of one slot. */
export type Commands = Omit<Pick<Redis, keyof Redis & keyof Cluster>, OfOneKind>;
type OfOneKind = keyof EventEmitter | 'options' | 'status' | 'duplicate';

/** Where scripts run. */
export interface ScriptHost {
  /** The client for commands that do not block. */
  readonly redis: Commands;
  /** Unix ms that stand for the server's time in tests; '' = the server's own. */
  readonly testTimeMs: string;
}

export type Argument = string | Buffer;

/** One call: keys and arguments by the names the script declares. */
export interface ScriptCall<
  Key extends string,
  Arg extends string,
  More extends Sendable = Sendable,
> {
  keys: Readonly<Record<Key, string>>;
  args: Readonly<Record<Arg, Argument>>;
  /** Further keys, for a script that declares `moreKeys`. */
  moreKeys?: readonly string[];
  /** Further arguments, for a script that declares `moreArgs`. */
  moreArgs?: readonly More[];
}

/** Shared functions; they stand between the header of a script and its code. */
const PRELUDE = luaText('prelude');
/** More of them, for the scripts that ask for it. */
const LIBRARIES = {
  groups: luaText('groups'),
  halves: luaText('halves'),
  'lane-records': luaText('lane-records'),
  steady: luaText('steady'),
};

/**
 * One atomic operation: a file of `lua/`, and the order of its keys and arguments.
 *
 * The text travels once per server: later calls name its digest, and a server that forgot it (restart, failover,
 * SCRIPT FLUSH) gets the text again. A call resent this way can be overtaken by one sent after it.
 */
export class Script<Key extends string, Arg extends string> {
  readonly name: string;
  readonly keys: readonly Key[];
  readonly args: readonly Arg[];
  /** What the further keys are, if any. */
  readonly moreKeys: string | undefined;
  /** What the further arguments are, if any. They stand before the test time. */
  readonly moreArgs: string | undefined;
  private readonly source: string;
  private readonly sha: string;
  private readonly isSentWhole: boolean;

  constructor(shape: {
    name: string;
    keys: readonly Key[];
    moreKeys?: string;
    args: readonly Arg[];
    moreArgs?: string;
    libraries?: readonly (keyof typeof LIBRARIES)[];
    /** With its text each time: what is sent after a call does not overtake it, also where the server had forgotten the script. */
    sentWhole?: boolean;
  }) {
    this.name = shape.name;
    this.keys = shape.keys;
    this.args = shape.args;
    this.moreKeys = shape.moreKeys;
    this.moreArgs = shape.moreArgs;
    this.isSentWhole = shape.sentWhole ?? false;
    const libraries = (shape.libraries ?? []).map((name) => LIBRARIES[name]);
    const shared = [PRELUDE, ...libraries].join('');
    this.source = withShared(shared, luaText(shape.name));
    this.sha = createHash('sha1').update(this.source).digest('hex');
  }

  /**
   * The reply as words (text).
   *
   * @throws StoreRefusedError the server did not execute it.
   * @throws StoreUnavailableError it is not known whether it did.
   */
  run(host: ScriptHost, call: ScriptCall<Key, Arg>): Promise<unknown[]> {
    return this.send(host, call, 'utf8');
  }

  /** The reply as bytes, for what may hold bodies. Otherwise as `run`. */
  runBinary(host: ScriptHost, call: ScriptCall<Key, Arg>): Promise<unknown[]> {
    return this.send(host, call, null);
  }

  private async send(
    host: ScriptHost,
    call: ScriptCall<Key, Arg>,
    replyEncoding: BufferEncoding | null,
  ): Promise<unknown[]> {
    const { redis } = host;
    const bound = this.bind(host, call);
    const ask = (command: string, script: string): Promise<unknown[]> =>
      redis.sendCommand(
        new DirectCommand(command, [script, ...bound], { replyEncoding }),
      ) as Promise<unknown[]>;
    if (!this.isSentWhole)
      try {
        return await ask('evalsha', this.sha);
      } catch (error) {
        if (!isNoScript(error)) throw storeError(error, this.asked(call));
      }
    try {
      return await ask('eval', this.source);
    } catch (error) {
      throw storeError(error, this.asked(call));
    }
  }

  /**
   * The call as words, to be queued in a transaction: with its digest, or with its text, which a server may have forgotten.
   * Nobody sends it again; see `isNoScript`.
   */
  words(
    host: Pick<ScriptHost, 'testTimeMs'>,
    call: ScriptCall<Key, Arg, Argument>,
    form: 'digest' | 'text',
  ): [command: string, ...Argument[]] {
    const script =
      form === 'digest' ? (['evalsha', this.sha] as const) : (['eval', this.source] as const);
    return [...script, ...this.bind(host, call)];
  }

  /** Number of keys, keys, arguments, test time. */
  private bind<More extends Sendable>(
    host: Pick<ScriptHost, 'testTimeMs'>,
    call: ScriptCall<Key, Arg, More>,
  ): [string, ...(Argument | More)[]] {
    const count = this.keys.length + (call.moreKeys?.length ?? 0);
    const bound: [string, ...(Argument | More)[]] = [String(count)];
    for (const key of this.keys) bound.push(call.keys[key]);
    if (call.moreKeys) bound.push(...call.moreKeys);
    for (const arg of this.args) bound.push(call.args[arg]);
    if (call.moreArgs) for (const arg of call.moreArgs) bound.push(arg);
    bound.push(host.testTimeMs);
    return bound;
  }

  private asked(call: ScriptCall<Key, Arg>): Asked {
    const first = this.keys[0];
    return { operation: this.name, key: first === undefined ? undefined : call.keys[first] };
  }
}

/** The server has forgotten the text of a script: it did nothing. */
export function isNoScript(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('NOSCRIPT');
}

/** `#!lua` must stay the first line, and comments need not travel. */
function withShared(shared: string, text: string): string {
  const [shebang, ...lines] = text.split('\n');
  const code = withoutComments(lines);
  return [shebang, ...usedBy(code, withoutComments(shared.split('\n'))), code].join('\n');
}

function withoutComments(lines: string[]): string {
  return lines.filter((line) => !/^\s*(--.*)?$/.test(line)).join('\n');
}

/** What of `shared` the code names, and what that names: Lua makes each function anew in each call. */
function usedBy(code: string, shared: string): string[] {
  const used: string[] = [];
  let text = code;
  for (const part of shared.split(/\n(?=local )/).reverse()) {
    const [, name] = /^local (?:function )?(\w+)/.exec(part)!;
    if (!new RegExp(`\\b${name}\\b`).test(text)) continue;
    used.unshift(part);
    text += part;
  }
  return used;
}
