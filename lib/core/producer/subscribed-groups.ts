import { UnroutableMessageError } from '../message/errors.js';
import type { SendOptions } from '../message/message.js';
import type { Clock } from '../runtime/clock.js';
import type { TopicRegistry } from '../store/topic-registry.js';

/** For so long an answer of the registry is taken for true. */
const FRESH_MS = 1_000;

interface Known {
  groups: Promise<readonly string[]>;
  until: number;
}

/** Which consumer groups have subscribed to a topic, for sends that must reach somebody. */
export class SubscribedGroups {
  private readonly registry: TopicRegistry;
  private readonly clock: Clock;
  private readonly known = new Map<string, Known>();

  constructor(options: { registry: TopicRegistry; clock: Clock }) {
    this.registry = options.registry;
    this.clock = options.clock;
  }

  /**
   * The topic that a message goes to: its own, or the alternate one when nobody has subscribed.
   *
   * @throws UnroutableMessageError when it is mandatory that somebody has.
   */
  async route(
    topic: string,
    { mandatory, alternateTopic }: Pick<SendOptions, 'mandatory' | 'alternateTopic'>,
  ): Promise<string> {
    const groups = await this.of(topic);
    if (groups.length === 0 && alternateTopic !== undefined) return alternateTopic;
    const wanted = Array.isArray(mandatory) ? (mandatory as readonly string[]) : [];
    const missing = wanted.filter((group) => !groups.includes(group));
    if (missing.length > 0 || (mandatory === true && groups.length === 0))
      throw new UnroutableMessageError(topic, missing);
    return topic;
  }

  private of(topic: string): Promise<readonly string[]> {
    const now = this.clock.monotonic();
    const known = this.known.get(topic);
    if (known && known.until > now) return known.groups;
    const groups = this.registry
      .groups(topic)
      .then((found) => found.map(({ group }) => group))
      .then((names) => {
        // Somebody may subscribe at any moment: that nobody has is asked again.
        if (names.length === 0) this.known.delete(topic);
        return names;
      });
    groups.catch(() => this.known.delete(topic));
    this.known.set(topic, { groups, until: now + FRESH_MS });
    return groups;
  }
}
