import { yesOrNo } from '../filter/yes-or-no.js';
import type { Clock } from '../runtime/clock.js';
import type { Events } from '../runtime/events.js';
import type { Logger } from '../runtime/logger.js';
import { Loop } from '../runtime/loop.js';
import { queuesOf } from '../store/refs.js';
import type { Stores } from '../store/stores.js';
import { groupLag } from './group-lags.js';
import type { IdleGroupFacts, IdleGroupSettings } from './idle-group-settings.js';

export interface IdleGroupsOptions {
  stores: Pick<Stores, 'presence' | 'topics' | 'deliveries' | 'leases' | 'members'>;
  clock: Clock;
  events: Events;
  logger: Logger;
  settings: IdleGroupSettings;
  /** Topics this process uses. */
  topicsInUse(): readonly string[];
  /** Groups in which this process consumes. */
  joined(): readonly { topic: string; group: string }[];
  onError(error: unknown): void;
}

/** A member shows itself often enough that it is never taken for absent, and is missed early enough. */
const LOOK_EVERY_MS = 600_000;
const FIRST_LOOK_MS = 60_000;

/**
 * Tells the store which groups have members in this process, and does something about those that have had none for long.
 * Every process that uses a topic looks; whoever is first removes.
 */
export class IdleGroups {
  private readonly options: IdleGroupsOptions;
  private readonly loop: Loop;
  private readonly reported = new Set<string>();
  private isFirst = true;

  constructor(options: IdleGroupsOptions) {
    this.options = options;
    this.loop = new Loop({
      name: 'idle groups',
      clock: options.clock,
      step: () => this.look(),
      onError: options.onError,
    });
  }

  start(): void {
    this.loop.start();
  }

  stop(): Promise<void> {
    return this.loop.stop();
  }

  private async look(): Promise<number> {
    // Subscriptions are about to be made: not to be counted without them.
    if (this.isFirst) {
      this.isFirst = false;
      return FIRST_LOOK_MS;
    }
    const { stores, topicsInUse, joined, settings } = this.options;
    const ours = joined();
    for (const topic of new Set([...topicsInUse(), ...ours.map((each) => each.topic)])) {
      const present = ours.filter((each) => each.topic === topic).map(({ group }) => group);
      for (const { group, idleMs } of await stores.presence.note(topic, present)) {
        if (idleMs >= settings.afterMs) await this.meet({ topic, group, idleMs });
        else this.reported.delete(nameOf(topic, group));
      }
    }
    return LOOK_EVERY_MS;
  }

  private async meet(idle: IdleGroupFacts): Promise<void> {
    const { stores } = this.options;
    const { topic, group } = idle;
    const info = await stores.topics.find(topic);
    const groups = info ? await stores.topics.groups(topic) : [];
    const mode = groups.find((each) => each.group === group)?.mode;
    // Nothing waits for a group that broadcasts.
    if (!info || mode === undefined || mode === 'broadcasting') return;
    const refs = queuesOf(info).map((ref) => ({ ...ref, group }));
    if (await this.hasMember(refs)) return;
    const isUnwanted = this.isUnwanted(idle);
    if (isUnwanted === true) await this.expire(idle);
    if (isUnwanted === false) await this.report(idle);
  }

  /** Undefined: whoever decides cannot say. It is asked again at the next look, and other groups have theirs. */
  private isUnwanted(idle: IdleGroupFacts): boolean | undefined {
    const { settings, onError } = this.options;
    const { expire } = settings;
    if (typeof expire !== 'function') return expire;
    try {
      return yesOrNo(expire({ ...idle }), 'idleGroups.expire');
    } catch (error) {
      onError(error);
      return undefined;
    }
  }

  /** Of a library that does not note them, too. */
  private async hasMember(
    refs: readonly { topic: string; queue: number; group: string }[],
  ): Promise<boolean> {
    const { deliveries, leases, members } = this.options.stores;
    const consumers = await Promise.all(refs.map((ref) => deliveries.consumers(ref)));
    const leased = await Promise.all(refs.map((ref) => leases.view(ref)));
    const owners = leased.flatMap(({ owner }) => (owner === null ? [] : [owner]));
    const names = [...new Set([...consumers.flat(), ...owners])];
    return names.length > 0 && (await members.lastBeats(names)).length > 0;
  }

  private async report(idle: IdleGroupFacts): Promise<void> {
    const { events, logger } = this.options;
    const name = nameOf(idle.topic, idle.group);
    if (this.reported.has(name)) return;
    this.reported.add(name);
    const { lag, deadLetters } = await this.heldBy(idle);
    events.emit('group-idle', { ...idle, lag, deadLetters });
    logger.warn(
      `${name} has had no member for ${roughly(idle.idleMs)}: ${lag ?? 'unknown'} messages wait for it, and are kept whatever the retention. Start a member, delete the group (MessageAdmin.deleteGroup), or let such groups go (idleGroups.expire).`,
    );
  }

  private async expire(idle: IdleGroupFacts): Promise<void> {
    const { stores, events, logger } = this.options;
    const held = await this.heldBy(idle);
    // Somebody may have joined since we looked.
    if (!(await this.isIdleStill(idle))) return;
    if ((await stores.topics.removeGroup(idle.topic, idle.group)) === 'unknown') return;
    events.emit('group-expired', { ...idle, ...held });
    logger.warn(
      `${nameOf(idle.topic, idle.group)} had no member for ${roughly(idle.idleMs)} and was removed, as idleGroups.expire says, with ${held.lag ?? 'unknown'} messages that it had not settled and ${held.deadLetters} dead letters.`,
    );
  }

  private async isIdleStill({ topic, group }: IdleGroupFacts): Promise<boolean> {
    const { stores, settings } = this.options;
    const seen = await stores.presence.note(topic, []);
    return seen.some((each) => each.group === group && each.idleMs >= settings.afterMs);
  }

  private async heldBy({
    topic,
    group,
  }: IdleGroupFacts): Promise<{ lag: number | null; deadLetters: number }> {
    const { deliveries, topics } = this.options.stores;
    const info = await topics.find(topic);
    const tools = { deliveries, queues: info?.queues ?? 0 };
    const { lag, deadLetters } = await groupLag({ topic, group }, tools);
    return { lag, deadLetters };
  }
}

function nameOf(topic: string, group: string): string {
  return `${topic}/${group}`;
}

function roughly(ms: number): string {
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 120) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h` : `${Math.floor(hours / 24)} days`;
}
