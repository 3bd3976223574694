import { InvalidOptionsError } from '../message/errors.js';
import type { GroupInfo, OrderedBy } from '../store/topic-registry.js';

type Facts = GroupInfo & { orderedBy?: OrderedBy | undefined };

/** A member that differs from its group: the group's messages would reach the wrong one, and be lost or filtered away. */
export function groupConflict(
  where: { origin: string; topic: string },
  wanted: Facts,
  registered: Facts,
): InvalidOptionsError {
  const remedy =
    wanted.mode === registered.mode && wanted.orderedBy === registered.orderedBy
      ? 'Use another group; or, to change the filter member by member, set allowFilterChange until all have the new one'
      : 'Use another group; or stop the others and delete the group first (MessageAdmin.deleteGroup, in a process with consume: false)';
  return new InvalidOptionsError(where.origin, [
    `consumer group "${wanted.group}" on topic "${where.topic}" is registered as ${said(registered)}, ` +
      `this handler is ${said(wanted)}; members that differ would lose messages. ${remedy}`,
  ]);
}

function said({ mode, orderedBy, filterDigest }: Facts): string {
  const order = orderedBy === 'queue' ? `${mode} by queue` : mode;
  return `${order} ${filterDigest === '' ? 'without a filter' : `with the filter ${filterDigest}`}`;
}
