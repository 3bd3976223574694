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
      `Topic "${topic}" has no consumer group "${group}" (groups: ${known.join(', ') || 'none'}). A member registers it when it starts; if it was there, its registration was deleted: start a member again, and it goes on where it was.`,
    );
    this.topic = topic;
    this.group = group;
  }
}

/** Living consumers would go on with what is to be deleted or moved, and bring it back. Nothing changed. */
export class InUseError extends RivuletError {
  readonly code = 'IN_USE';
  /** Names of the living members. */
  readonly members: readonly string[];

  constructor(what: string, members: readonly string[]) {
    super(
      `${what} is being consumed by ${members.join(', ')}. Nothing was done: stop them first, or pass { force: true }.`,
    );
    this.members = members;
  }
}

/** Halves wait in the topic for what becomes of their transactions; nothing was deleted. */
export class HalvesWaitingError extends RivuletError {
  readonly code = 'HALVES_WAITING';
  readonly topic: string;

  constructor(topic: string, halves: { waiting: number; parked: number }) {
    super(
      `Topic "${topic}" holds messages of transactions that are not decided (${halves.waiting} waiting, ${halves.parked} parked): they would be lost if those committed. Nothing was deleted: look at them with listHalves, or pass { force: true }.`,
    );
    this.topic = topic;
  }
}

/** Somebody who knows will be asked what became of the transaction; it was not decided by hand. */
export class StillCheckedError extends RivuletError {
  readonly code = 'STILL_CHECKED';
  readonly transactionId: string;

  constructor(transactionId: string, facts: { name: string; places: readonly string[] }) {
    super(
      `Transaction ${transactionId} is not parked in ${facts.places.join(', ')}: "${facts.name}" can still say what became of it, and a decision by hand may contradict it. Nothing changed: use checkTransaction, or pass { force: true } if you know better.`,
    );
    this.transactionId = transactionId;
  }
}
