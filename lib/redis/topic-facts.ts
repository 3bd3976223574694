import { StoreRefusedError } from '../core/message/errors.js';
import { describeValue, given } from '../core/message/options.js';
import { MOST_QUEUES } from '../core/message/topic.js';
import {
  type ConsumeMode,
  DEFAULT_TOPIC_SETTINGS,
  type GroupInfo,
  type TopicInfo,
  type TopicSettings,
  type WhenFull,
} from '../core/store/topic-registry.js';

/** As the scripts answer it. `born` tells one life of a topic from the next, `version` one setting from the next. */
export interface TopicFacts extends TopicInfo {
  born: string;
  version: string;
  /** How many queues there were before the growth that is under way; null when there is none. */
  grewFrom: number | null;
}

export function withDefaults(settings: Partial<TopicSettings>): TopicSettings {
  return { ...DEFAULT_TOPIC_SETTINGS, ...given(settings) };
}

/** Missing ones become '-': keep. */
export function settingArguments(settings: Partial<TopicSettings>): {
  retentionMs: string;
  maxLength: string;
  whenFull: string;
  dedupWindowMs: string;
} {
  const text = (value: number | null | undefined): string =>
    value === undefined ? '-' : value === null ? '' : String(value);
  return {
    retentionMs: text(settings.retentionMs),
    maxLength: text(settings.maxLength),
    whenFull: settings.whenFull ?? '-',
    dedupWindowMs: text(settings.dedupWindowMs),
  };
}

/** @throws StoreRefusedError `DAMAGED`: what somebody else wrote there must not become a loop over a billion queues. */
export function readFacts(
  topic: string,
  facts: readonly (string | null | undefined)[],
): TopicFacts {
  const [
    queues,
    retentionMs,
    maxLength,
    whenFull,
    dedupWindowMs,
    generation,
    born,
    version,
    grewFrom,
  ] = facts;
  if (!isCount(queues, MOST_QUEUES) || !isCount(generation, Number.MAX_SAFE_INTEGER))
    throw new StoreRefusedError(
      `What the store keeps about topic "${topic}" is damaged: queues ${describeValue(queues)}, generation ${describeValue(generation)}. Nothing was done; restore its meta hash, or delete the topic's keys`,
      { reason: 'DAMAGED' },
    );
  return {
    topic,
    queues: Number(queues),
    retentionMs: Number(retentionMs),
    maxLength: maxLength === '' ? null : Number(maxLength),
    whenFull: whenFull as WhenFull,
    dedupWindowMs: Number(dedupWindowMs),
    generation: Number(generation),
    born: born!,
    version: version!,
    grewFrom: typeof grewFrom === 'string' ? Number(grewFrom) : null,
  };
}

function isCount(text: string | null | undefined, most: number): boolean {
  const count = /^\d{1,16}$/.test(text ?? '') ? Number(text) : 0;
  return count >= 1 && count <= most;
}

export function withoutInnerFacts({
  born: _born,
  version: _version,
  grewFrom: _grewFrom,
  ...info
}: TopicFacts): TopicInfo {
  return info;
}

export function readGroup(group: string, facts: readonly string[]): GroupInfo {
  return { group, mode: facts[0] as ConsumeMode, filterDigest: facts[1] ?? '' };
}

export function splitOnce(facts: string): [string, string] {
  const at = facts.indexOf(' ');
  return [facts.slice(0, at), facts.slice(at + 1)];
}
