import { unknownOptions } from '../core/message/options.js';
import { type TopicName, topicOf } from '../core/message/topic.js';
import { queuesOf } from '../core/store/refs.js';
import type { TopicRegistry } from '../core/store/topic-registry.js';
import { HalvesWaitingError } from './errors.js';
import type { Groups } from './groups.js';
import type { Halves } from './halves.js';
import { groupProblem, refuse, topicNameProblem } from './input.js';
import type { PausedGroups } from './paused-groups.js';
import type { Topics } from './topics.js';

/** Removes topics and groups that nobody needs. What comes by their names later is new, and not paused. */
export class Removal {
  private readonly registry: TopicRegistry;
  private readonly topics: Topics;
  private readonly groups: Groups;
  private readonly halves: Halves;
  private readonly paused: PausedGroups;

  constructor(options: {
    registry: TopicRegistry;
    topics: Topics;
    groups: Groups;
    halves: Halves;
    paused: PausedGroups;
  }) {
    this.registry = options.registry;
    this.topics = options.topics;
    this.groups = options.groups;
    this.halves = options.halves;
    this.paused = options.paused;
  }

  async topic(name: TopicName, options: { force?: boolean }): Promise<boolean> {
    refuse('deleteTopic', [topicNameProblem(name), ...unknownOptions(options, ['force'])]);
    if (options.force !== true) {
      const info = await this.topics.find(name, 'deleteTopic');
      // Nobody finds a topic whose deletion was cut off: its repeat goes on with that.
      if (!info) return this.ended(name, await this.registry.endRemoval(topicOf(name)));
      await this.groups.refuseWhileTopicIsConsumed(info);
      const halves = await this.halves.waitingIn(queuesOf(info));
      if (halves.waiting + halves.parked > 0) throw new HalvesWaitingError(info.topic, halves);
    }
    return this.ended(name, await this.registry.remove(topicOf(name)));
  }

  private async ended(name: TopicName, reply: 'removed' | 'unknown'): Promise<boolean> {
    await this.paused.forget(name);
    return reply === 'removed';
  }

  async group(name: TopicName, group: string, options: { force?: boolean }): Promise<boolean> {
    refuse('deleteGroup', [
      topicNameProblem(name),
      groupProblem(group),
      ...unknownOptions(options, ['force']),
    ]);
    const info = await this.topics.existing(name, 'deleteGroup');
    if (options.force !== true)
      await this.groups.refuseWhileAlive(info, [group], `Group "${group}"`);
    const reply = await this.registry.removeGroup(info.topic, group);
    await this.paused.forget(name, group);
    return reply === 'removed';
  }
}
