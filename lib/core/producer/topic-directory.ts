import { InvalidInputError, TopicNotFoundError } from '../message/errors.js';
import { mayBeMisspelt } from '../message/misspelt-topic.js';
import { given, nearestName } from '../message/options.js';
import { topicArgumentProblem, type TopicDefinition } from '../message/topic.js';
import type { Logger } from '../runtime/logger.js';
import {
  differences,
  type TopicInfo,
  type TopicRegistry,
  type TopicSettings,
} from '../store/topic-registry.js';

/**
 * Topics that the subscriptions of one process make, and that are held against the names of all others: of five thousand, each would
 * read and compare the names of thousands.
 */
const MOST_COMPARED = 100;

/**
 * What this process knows of topics: each looked up once, created when it is missing (unless that is switched
 * off), and looked up again when the store says that it changed.
 */
export class TopicDirectory {
  private readonly registry: TopicRegistry;
  private readonly autoCreate: boolean;
  private readonly defaults: Partial<TopicSettings>;
  private readonly logger: Logger;
  private readonly onKnown: (info: TopicInfo) => void;
  /** Topics whose definition was held against what there is. */
  private readonly compared = new Set<string>();
  /** Topics that subscriptions of this process made. */
  private readonly madeToConsume = new Set<string>();
  private readonly definitions = new Map<string, TopicDefinition>();
  private readonly known = new Map<string, TopicInfo>();
  private readonly lookups = new Map<string, Promise<TopicInfo>>();

  constructor(options: {
    registry: TopicRegistry;
    autoCreate: boolean;
    defaults: Partial<TopicSettings>;
    logger: Logger;
    /** A topic was looked up: this process uses it from now on. */
    onKnown(info: TopicInfo): void;
  }) {
    this.registry = options.registry;
    this.autoCreate = options.autoCreate;
    this.defaults = options.defaults;
    this.logger = options.logger;
    this.onKnown = options.onKnown;
  }

  /** Remember how to create and check a topic; the last definition counts. @throws InvalidInputError for what is none. */
  define(definition: TopicDefinition): void {
    if (this.definitions.get(definition.topic) === definition) return;
    const problem = topicArgumentProblem(definition);
    if (problem) throw new InvalidInputError(`Topic "${definition.topic}"`, [problem]);
    this.definitions.set(definition.topic, definition);
  }

  definition(topic: string): TopicDefinition | undefined {
    return this.definitions.get(topic);
  }

  /** Without asking the store. */
  cached(topic: string): TopicInfo | undefined {
    return this.known.get(topic);
  }

  /** Topics this process uses. */
  all(): TopicInfo[] {
    return [...this.known.values()];
  }

  /** @throws TopicNotFoundError when it does not exist and must not be created. */
  get(topic: string): Promise<TopicInfo> {
    const known = this.known.get(topic);
    return known ? Promise.resolve(known) : this.lookUp(topic);
  }

  /**
   * As `get`, for whoever takes what others send. A topic that this makes may be a name that somebody misspelt, in which nothing
   * will ever come: told when there is one of almost the same name, for the first that a process makes (`MOST_COMPARED`).
   */
  async getToConsume(topic: string): Promise<TopicInfo> {
    const isNew = this.isMadeByName(topic) && !(await this.registry.find(topic));
    const info = await this.get(topic);
    if (!isNew || this.madeToConsume.has(topic)) return info;
    this.madeToConsume.add(topic);
    if (this.madeToConsume.size > MOST_COMPARED) return info;
    const meant = (await this.registry.list()).find((name) => mayBeMisspelt(topic, name));
    if (meant !== undefined)
      this.logger.warn(
        `Topic "${topic}" did not exist and was made by a subscription to it: did you mean "${meant}", which is there? If "${topic}" is meant, nothing needs to be done; this is not said again.`,
      );
    return info;
  }

  private isMadeByName(topic: string): boolean {
    return this.autoCreate && !this.known.has(topic) && !this.definitions.has(topic);
  }

  /** As it is now, without making it. @throws TopicNotFoundError */
  async find(topic: string): Promise<TopicInfo> {
    const info = await this.registry.find(topic);
    if (!info) throw new TopicNotFoundError(`Topic "${topic}" does not exist (any more).`);
    this.known.set(topic, info);
    this.onKnown(info);
    return info;
  }

  /**
   * For whoever takes what others send: a topic that nobody has made or defined is a name that somebody misspelt.
   *
   * @throws TopicNotFoundError naming the nearest there is.
   */
  async demand(topic: string): Promise<void> {
    if (this.known.has(topic) || this.definitions.has(topic) || (await this.registry.find(topic)))
      return;
    const nearest = nearestName(topic, await this.registry.list());
    throw new TopicNotFoundError(
      `Topic "${topic}" does not exist${nearest === undefined ? '.' : `, did you mean "${nearest}"?`} ` +
        `It is made by the first send to it, by MessageAdmin.createTopic, or by whoever names it as defineTopic("${topic}").`,
    );
  }

  /** The store answered `moved`: what is known is out of date. */
  refresh(topic: string): Promise<TopicInfo> {
    this.known.delete(topic);
    return this.lookUp(topic);
  }

  private lookUp(topic: string): Promise<TopicInfo> {
    const running = this.lookups.get(topic);
    if (running) return running;
    const lookup = this.fetch(topic)
      .then((info) => {
        this.known.set(topic, info);
        this.onKnown(info);
        return info;
      })
      .finally(() => this.lookups.delete(topic));
    this.lookups.set(topic, lookup);
    return lookup;
  }

  private async fetch(topic: string): Promise<TopicInfo> {
    if (this.autoCreate || this.definitions.has(topic)) {
      const { queues, retentionMs, maxLength, whenFull, dedupWindowMs } =
        this.definitions.get(topic)?.options ?? {};
      const own = given({ queues, retentionMs, maxLength, whenFull, dedupWindowMs });
      const info = await this.registry.declare(topic, { ...this.defaults, ...own });
      this.compare(own, info);
      return info;
    }
    const info = await this.registry.complete(topic);
    if (info) return info;
    throw new TopicNotFoundError(
      `Topic "${topic}" does not exist and autoCreateTopics is off. Create it with MessageAdmin.createTopic or defineTopic.`,
    );
  }

  /** Whoever changes a definition may think that this changes the topic. Once: what is altered while this process runs is meant. */
  private compare(asked: Partial<TopicSettings>, info: TopicInfo): void {
    if (this.compared.has(info.topic)) return;
    this.compared.add(info.topic);
    const different = differences(info, asked);
    if (different.length > 0)
      this.logger.warn(
        `Topic "${info.topic}" exists with other settings than it is defined with here: ${different.join('; ')}. It stays as it is: change the definition, or the topic with MessageAdmin.alterTopic (queues only become more)`,
      );
  }
}
