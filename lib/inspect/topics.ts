import { TopicNotFoundError } from '../core/message/errors.js';
import { describeValue, given, unknownOptions } from '../core/message/options.js';
import {
  growthProblem,
  type TopicName,
  topicOf,
  topicSettingProblems,
} from '../core/message/topic.js';
import { queuesOf, type QueueRef } from '../core/store/refs.js';
import type { Stores } from '../core/store/stores.js';
import { differences, type TopicInfo, type TopicSettings } from '../core/store/topic-registry.js';
import { TopicExistsError } from './errors.js';
import { refuse, topicNameProblem } from './input.js';

export interface TopicDescription {
  topic: string;
  settings: TopicSettings;
  /** Grows when the queues change. */
  generation: number;
  queues: QueueDescription[];
  /** Visible messages in all queues. */
  length: number;
  /** Messages that become visible later, in all queues. */
  scheduled: number;
  /** Transactions that are not decided, by queue: one with messages in two queues counts twice. */
  halves: { waiting: number; parked: number };
}

export interface QueueDescription {
  queue: number;
  /** Visible messages, settled ones included until retention removes them. */
  length: number;
  /** Oldest and newest offset, null when the queue is empty. */
  first: string | null;
  last: string | null;
  scheduled: number;
  halves: { waiting: number; parked: number };
}

/** What can be changed later: everything, but `queues` only to a multiple of what they are. */
export type TopicChanges = Partial<TopicSettings>;

const CHANGEABLE = ['retentionMs', 'maxLength', 'whenFull', 'dedupWindowMs'] as const;
const SETTINGS = ['queues', ...CHANGEABLE] as const;

/** Questions and commands about topics. */
export class Topics {
  private readonly stores: Stores;
  private readonly defaults: TopicSettings;

  constructor(options: { stores: Stores; defaults: TopicSettings }) {
    this.stores = options.stores;
    this.defaults = options.defaults;
  }

  list(): Promise<string[]> {
    return this.stores.topics.list();
  }

  async describe(name: TopicName): Promise<TopicDescription> {
    const info = await this.existing(name, 'describeTopic');
    const queues = await Promise.all(queuesOf(info).map((ref) => this.describeQueue(ref)));
    const { topic, generation } = info;
    const { retentionMs, maxLength, whenFull, dedupWindowMs } = info;
    return {
      topic,
      generation,
      settings: { queues: info.queues, retentionMs, maxLength, whenFull, dedupWindowMs },
      queues,
      length: queues.reduce((sum, { length }) => sum + length, 0),
      scheduled: queues.reduce((sum, { scheduled }) => sum + scheduled, 0),
      halves: {
        waiting: queues.reduce((sum, { halves }) => sum + halves.waiting, 0),
        parked: queues.reduce((sum, { halves }) => sum + halves.parked, 0),
      },
    };
  }

  async create(name: TopicName, settings: Partial<TopicSettings>): Promise<TopicInfo> {
    refuse(`createTopic(${describeValue(topicOf(name))})`, [
      topicNameProblem(name),
      ...unknownOptions(settings, SETTINGS),
      ...topicSettingProblems(settings ?? {}),
    ]);
    const asked = { ...saidBy(name), ...said(settings) };
    const info = await this.stores.topics.declare(topicOf(name), { ...this.defaults, ...asked });
    const different = differences(info, asked);
    if (different.length > 0) throw new TopicExistsError(info.topic, different);
    return info;
  }

  async alter(name: TopicName, changes: TopicChanges): Promise<TopicInfo> {
    refuse(`alterTopic(${describeValue(topicOf(name))})`, [
      topicNameProblem(name),
      ...unknownOptions(changes, SETTINGS),
      ...topicSettingProblems(changes ?? {}),
    ]);
    const { queues: now } = await this.existing(name, 'alterTopic');
    if (changes.queues !== undefined)
      refuse(`alterTopic(${describeValue(topicOf(name))})`, [growthProblem(now, changes.queues)]);
    const info = await this.stores.topics.alter(topicOf(name), said(changes));
    return info ?? notFound(topicOf(name), 'alterTopic');
  }

  /** @throws InvalidInputError, naming the method that was called. */
  async find(name: TopicName, method: string): Promise<TopicInfo | undefined> {
    refuse(method, [topicNameProblem(name)]);
    return this.stores.topics.find(topicOf(name));
  }

  /** @throws InvalidInputError or TopicNotFoundError, naming the method that was called. */
  async existing(name: TopicName, method: string): Promise<TopicInfo> {
    return (await this.find(name, method)) ?? notFound(topicOf(name), method);
  }

  private async describeQueue(ref: QueueRef): Promise<QueueDescription> {
    const [extent, scheduled, halves] = await Promise.all([
      this.stores.log.extent(ref),
      this.stores.schedule.count(ref),
      this.stores.halves.count(ref),
    ]);
    return { queue: ref.queue, ...extent, scheduled, halves };
  }
}

function notFound(topic: string, method: string): never {
  throw new TopicNotFoundError(
    `${method}: topic "${topic}" does not exist. Create it with createTopic, or send to it.`,
  );
}

function saidBy(name: TopicName): Partial<TopicSettings> {
  return typeof name === 'string' ? {} : said(name.options);
}

/** The settings that were given a value. */
function said(settings: Partial<TopicSettings>): Partial<TopicSettings> {
  return given(Object.fromEntries(SETTINGS.map((setting) => [setting, settings[setting]])));
}
