import { InvalidOptionsError } from '../message/errors.js';
import type { GroupInfo } from '../store/topic-registry.js';

/** A member that differs from its group: the group's messages would reach the wrong one, and be lost or filtered away. */
export function groupConflict(
  where: { origin: string; topic: string },
  wanted: GroupInfo,
  registered: GroupInfo,
): InvalidOptionsError {
  const remedy =
    wanted.mode === registered.mode
      ? 'Use another group; or, to change the filter member by member, set allowFilterChange until all have the new one'
      : 'Use another group, or stop the others and delete the group first';
  return new InvalidOptionsError(where.origin, [
    `consumer group "${wanted.group}" on topic "${where.topic}" is registered as ${said(registered)}, ` +
      `this handler is ${said(wanted)}; members that differ would lose messages. ${remedy}`,
  ]);
}

function said({ mode, filterDigest }: GroupInfo): string {
  return `${mode} ${filterDigest === '' ? 'without a filter' : `with the filter ${filterDigest}`}`;
}
