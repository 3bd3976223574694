import { compileTopicPattern, isTopicPattern } from '../core/filter/topic-pattern.js';
import { type TopicName, topicOf } from '../core/message/topic.js';
import type { PausedGroup, PauseStore } from '../core/store/pause-store.js';
import type { StoreTime } from '../core/store/store-time.js';
import type { Groups } from './groups.js';
import { groupProblem, refuse, topicNameProblem } from './input.js';

/** Stops and starts consumer groups in every process. */
export class PausedGroups {
  private readonly paused: PauseStore;
  private readonly groups: Groups;
  private readonly storeTime: StoreTime;

  constructor(options: { paused: PauseStore; groups: Groups; storeTime: StoreTime }) {
    this.paused = options.paused;
    this.groups = options.groups;
    this.storeTime = options.storeTime;
  }

  async pause(name: TopicName, group: string): Promise<boolean> {
    const topic = topicOf(name);
    // A pattern is no topic: who follows it is known to its members only.
    if (isTopicPattern(topic)) {
      compileTopicPattern(topic);
      refuse('pauseGroup', [groupProblem(group)]);
    } else await this.groups.existing(name, group, 'pauseGroup');
    return this.paused.pause({ topic, group, since: Math.floor(this.storeTime.now()) });
  }

  async resume(name: TopicName, group: string): Promise<boolean> {
    const topic = topicOf(name);
    refuse('resumeGroup', [
      isTopicPattern(topic) ? undefined : topicNameProblem(name),
      groupProblem(group),
    ]);
    return this.paused.resume({ topic, group });
  }

  /** A group, or all of a topic, that is gone: what comes by that name later is not paused. */
  async forget(name: TopicName, group?: string): Promise<void> {
    const topic = topicOf(name);
    for (const paused of await this.paused.list())
      if (paused.topic === topic && (group === undefined || paused.group === group))
        await this.paused.resume(paused);
  }

  list(): Promise<PausedGroup[]> {
    return this.paused.list();
  }
}
