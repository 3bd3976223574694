import { RivuletError } from '../core/message/errors.js';

/** The topic exists with other settings than asked for; it was not changed. */
export class TopicExistsError extends RivuletError {
  readonly code = 'TOPIC_EXISTS';
  readonly topic: string;
  /** One sentence for each setting that differs. */
  readonly differences: readonly string[];

  constructor(topic: string, differences: readonly string[]) {
    super(
      `Topic "${topic}" exists with other settings: ${differences.join('; ')}. It was not changed; use alterTopic, or delete the topic first.`,
    );
    this.topic = topic;
    this.differences = differences;
  }
}

export class GroupNotFoundError extends RivuletError {
  readonly code = 'GROUP_NOT_FOUND';
  readonly topic: string;
  readonly group: string;

  constructor(topic: string, group: string, known: readonly string[]) {
    super(
      `Topic "${topic}" has no consumer group "${group}" (groups: ${known.join(', ') || 'none'}).`,
    );
    this.topic = topic;
    this.group = group;
  }
}

/** Living consumers would go on with what is to be deleted, and bring it back; nothing was deleted. */
export class InUseError extends RivuletError {
  readonly code = 'IN_USE';
  /** Names of the living members. */
  readonly members: readonly string[];

  constructor(what: string, members: readonly string[]) {
    super(
      `${what} is being consumed by ${members.join(', ')}. Nothing was deleted: stop them first, or pass { force: true }.`,
    );
    this.members = members;
  }
}
