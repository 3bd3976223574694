import { setTimeout as pass } from 'node:timers/promises';
import { SendFailedError, SendOutcomeUnknownError } from '../../lib/core/message/errors.js';
import { decodeMessage } from '../../lib/core/message/wire-format.js';
import type { Rivulet } from '../../lib/core/rivulet.js';
import type { RivuletSettingsInput } from '../../lib/core/settings.js';
import { MessageAdmin } from '../../lib/inspect/message-admin.js';
import type { RedisConnection } from '../../lib/redis/connection-options.js';
import { RedisStores } from '../../lib/redis/redis-stores.js';
import { type Happening, History } from './history.js';
import { judge, type Verdict } from './judge.js';
import { seededRandom } from './random.js';
import { connect, IMPATIENT, within } from './workload.js';

const TOPIC = 'orders';
/** One group that handles side by side, and one in order. */
const GROUPS = ['billing', 'ledger'] as const;
const QUEUES = 4;
const PROBES = 60;

export interface TrafficOptions {
  seed: number;
  /** Where Redis is, without a fault in between. */
  directUrl: RedisConnection;
  /** Where producers think that Redis is. Default `directUrl`. */
  producerUrl?: RedisConnection;
  /** Where consumers think that Redis is. Default `directUrl`. */
  consumerUrl?: RedisConnection;
  namespace: string;
  /** Default 2 of each. */
  producers?: number;
  consumers?: number;
  /** Message groups; each has one send under way. Default 12. */
  lanes?: number;
  /** Longest pause between two sends of a lane. Default 40. */
  pauseMs?: number;
  /** Longest time of a handler. Default 10. */
  handlerMs?: number;
  settings?: RivuletSettingsInput;
  /** How many replicas must have a message before its send is confirmed. Default 0. */
  replicas?: number;
}

/** What a run of traffic ends with, beside its verdict. */
export interface Ending extends Verdict {
  /** Published and not settled, over both groups: not even lag may be left. */
  left: number | null;
  deadLetters: number;
  /** How long everything took to be handled once the sends had ended, and then what was sent to see whether all works. */
  drainMs: number;
  probeMs: number;
}

/**
 * The load under which faults are tried: producers that send in lanes, consumers that handle in two groups and fail now
 * and then, and a history of it all. Instances have connections of their own, as processes would.
 */
export class Traffic {
  readonly history = new History();
  private readonly options: Required<TrafficOptions>;
  private readonly random: () => number;
  private readonly producing: Rivulet[];
  private readonly consuming: Rivulet[] = [];
  private readonly calm = new AbortController();
  private sending: Promise<unknown> = Promise.resolve();

  private constructor(options: TrafficOptions) {
    this.options = {
      ...{ producerUrl: options.directUrl, consumerUrl: options.directUrl },
      ...{
        producers: 2,
        consumers: 2,
        lanes: 12,
        pauseMs: 40,
        handlerMs: 10,
        settings: {},
        replicas: 0,
      },
      ...options,
    };
    this.random = seededRandom(options.seed);
    this.producing = Array.from({ length: this.options.producers }, () =>
      this.instance(this.options.producerUrl),
    );
  }

  /** Resolves once messages are handled in every group. */
  static async start(options: TrafficOptions): Promise<Traffic> {
    const traffic = new Traffic(options);
    await Promise.all(traffic.producing.map((one) => one.open()));
    const { consumers, lanes } = traffic.options;
    await Promise.all(Array.from({ length: consumers }, () => traffic.addConsumer()));
    traffic.sending = Promise.all(Array.from({ length: lanes }, (_, i) => traffic.sendOn(i)));
    // Whoever is not there any more to see it fail must not end the process.
    traffic.sending.catch(() => {});
    const flows = (): boolean => GROUPS.every((group) => traffic.handled(group) >= lanes);
    await within(60_000, 'the first messages', traffic.history.when(flows));
    return traffic;
  }

  /** How many different messages were handled. */
  handled(group: string): number {
    return this.history.keys('handled', group).size;
  }

  async addConsumer(): Promise<Rivulet> {
    const rivulet = this.instance(this.options.consumerUrl);
    for (const group of GROUPS)
      rivulet.subscribe({
        topic: TOPIC,
        group,
        origin: 'traffic',
        concurrency: 8,
        ...(group === 'ledger' ? { ordered: true } : {}),
        retry: { maxAttempts: 100, backoff: () => 50 },
        handler: async ({ message, attempt, signal }) => {
          await pass(this.random() * this.options.handlerMs);
          if (attempt === 1 && this.random() < 0.02) throw new Error('again');
          // As a store that looks at the fencing token would: an owner that was followed has no effect.
          if (!signal.aborted) this.history.handled(message.key!, group);
        },
      });
    // A settle whose reply got lost is repeated, and refused since it was done.
    for (const name of ['acked', 'settle-refused'] as const)
      rivulet.events.on(name, ({ key, group }) => this.history.settled(key ?? '', group));
    await rivulet.consume();
    this.consuming.push(rivulet);
    return rivulet;
  }

  /** Notes that the fault is over. Resolves once what is sent from now on is confirmed, and handled by each group. */
  async healed(): Promise<void> {
    this.history.healed();
    await this.whenNewsFlow();
  }

  /** Resolves once something that is sent from now on is confirmed, and handled by each group. */
  async whenNewsFlow(): Promise<void> {
    const { happenings } = this.history;
    const from = happenings.length;
    const flows = (): boolean => {
      const news = happenings.slice(from);
      const isNew = new Set(news.flatMap(({ kind, key }) => (kind === 'sent' ? [key] : [])));
      const isThere = (kind: Happening['kind'], group: string): boolean =>
        news.some((one) => one.kind === kind && one.group === group && isNew.has(one.key));
      return isThere('confirmed', '') && GROUPS.every((group) => isThere('handled', group));
    };
    if (!(await until(60_000, flows))) throw new Error('nothing new was sent and handled for 60 s');
  }

  /** Resolves once each lane, and with them each queue, has had something confirmed that was sent from now on. */
  async whenEveryLaneMoves(): Promise<void> {
    const { happenings } = this.history;
    const from = happenings.length;
    const moves = (): boolean => {
      const news = happenings.slice(from);
      const lanes = new Map(
        news.flatMap(({ kind, key, lane }) => (kind === 'sent' ? [[key, lane]] : [])),
      );
      const moved = news.flatMap(({ kind, key }) =>
        kind === 'confirmed' ? (lanes.get(key) ?? []) : [],
      );
      return new Set(moved).size === this.options.lanes;
    };
    if (!(await until(60_000, moves))) throw new Error('a queue takes no messages for 60 s');
  }

  /** What is broken must be whole again. Sends no more, waits until all is handled, and tries whether all works. */
  async finish(): Promise<Ending> {
    this.calm.abort();
    await within(60_000, 'answers to all sends', this.sending).catch(() => {});
    const { history } = this;
    const drainedAt = performance.now();
    const isDrained = (): boolean =>
      GROUPS.every((group) => isSubset(history.keys('confirmed'), history.keys('settled', group)));
    await until(60_000, isDrained);
    const drainMs = Math.round(performance.now() - drainedAt);
    const probeMs = await this.probe();
    const ending = { ...(await this.verdict()), ...(await this.leftovers()), drainMs, probeMs };
    await Promise.all([...this.producing, ...this.consuming].map((one) => one.stop(2_000)));
    return ending;
  }

  private instance(url: RedisConnection): Rivulet {
    const { namespace, settings } = this.options;
    return connect(url, namespace, {
      ...IMPATIENT,
      producer: { sendTimeoutMs: 4_000 },
      topics: { queues: QUEUES },
      ordered: { leaseMs: 2_500, renewMs: 400, selfStopMs: 1_800, rebalanceDelayMs: 300 },
      ...settings,
    });
  }

  private async sendOn(lane: number): Promise<void> {
    const rivulet = this.producing[lane % this.producing.length]!;
    for (let seq = 1; !this.calm.signal.aborted; seq++) {
      await this.send(rivulet, { key: `${lane}:${seq}`, lane: `g${lane}`, seq });
      await pass(this.random() * this.options.pauseMs);
    }
  }

  private async send(
    rivulet: Rivulet,
    message: { key: string; lane: string; seq: number },
  ): Promise<void> {
    const { key, lane, seq } = message;
    this.history.sent(key, { lane, seq });
    try {
      const { replicas } = this.options;
      const acks = replicas > 0 ? { acks: { replicas, timeoutMs: 2_000 } } : {};
      await rivulet.producer.send(TOPIC, { seq }, { key, messageGroup: lane, ...acks });
      this.history.answered(key, 'confirmed');
    } catch (error) {
      if (error instanceof SendOutcomeUnknownError) this.history.answered(key, 'unknown');
      else if (error instanceof SendFailedError) this.history.answered(key, 'failed');
      else throw error;
    }
  }

  /** Nothing was restarted by hand: what is sent now is handled soon. */
  private async probe(): Promise<number> {
    const beganAt = performance.now();
    const keys = Array.from({ length: PROBES }, (_, i) => `probe${i}`);
    const [rivulet] = this.producing;
    await Promise.all(keys.map((key, i) => this.send(rivulet!, { key, lane: key, seq: i })));
    const isThere = (): boolean =>
      GROUPS.every((group) => isSubset(new Set(keys), this.history.keys('settled', group)));
    if (!(await until(60_000, isThere)))
      throw new Error('what was sent at the end was not handled');
    return Math.round(performance.now() - beganAt);
  }

  private async verdict(): Promise<Verdict> {
    const stores = new RedisStores({
      connection: this.options.directUrl,
      namespace: this.options.namespace,
    });
    await stores.open(30_000);
    const stored: string[] = [];
    for (let queue = 0; queue < QUEUES; queue++) {
      const range = { topic: TOPIC, queue, from: '-', to: '+', count: 1_000_000 };
      for (const entry of await stores.log.range(range))
        if (entry.content.kind === 'message')
          stored.push(decodeMessage(entry, entry.content.frame).key ?? '?');
    }
    await stores.close();
    const scene = { stored, groups: GROUPS, ordered: ['ledger'], tellsSettled: true };
    return judge(this.history.happenings, scene);
  }

  private async leftovers(): Promise<Pick<Ending, 'left' | 'deadLetters'>> {
    const admin = new MessageAdmin({ rivulet: this.producing[0]! });
    const ask = async () =>
      (await Promise.all(GROUPS.map((group) => admin.describeGroup(TOPIC, group)))).map(
        ({ total }) => total,
      );
    // A connection may still be on its way to a new master.
    const lag = async (tries = 50): Promise<Awaited<ReturnType<typeof ask>>> =>
      ask().catch(async (error: unknown) => {
        if (tries === 0) throw error;
        await pass(100);
        return lag(tries - 1);
      });
    let totals = await lag();
    const isLeft = (): boolean => totals.some((total) => total.lag !== 0);
    for (let i = 0; i < 100 && isLeft(); i++) {
      await pass(100);
      totals = await lag();
    }
    const left = totals.map((total) => total.lag);
    return {
      left: left.includes(null) ? null : left.reduce<number>((sum, one) => sum + one!, 0),
      deadLetters: totals.reduce((sum, total) => sum + total.deadLetters, 0),
    };
  }
}

/** Asks ten times a second, however much happens. @returns whether it came true in time. */
async function until(ms: number, isSo: () => boolean): Promise<boolean> {
  const endAt = performance.now() + ms;
  while (!isSo() && performance.now() < endAt) await pass(100);
  return isSo();
}

function isSubset(some: ReadonlySet<string>, all: ReadonlySet<string>): boolean {
  for (const one of some) if (!all.has(one)) return false;
  return true;
}
