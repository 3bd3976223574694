import { Codecs } from '../core/message/codecs.js';
import type { RecurringSends } from '../core/producer/recurring-sends.js';
import type { Rivulet } from '../core/rivulet.js';
import { DeadLetters } from './dead-letters.js';
import { Groups } from './groups.js';
import { Halves } from './halves.js';
import { Messages } from './messages.js';
import { ParkedLanes } from './parked-lanes.js';
import { PausedGroups } from './paused-groups.js';
import { Redrive } from './redrive.js';
import { Removal } from './removal.js';
import { Rewind } from './rewind.js';
import { Scheduled } from './scheduled.js';
import { Topics } from './topics.js';

/** Who answers what `MessageAdmin` is asked. */
export interface AdminParts {
  readonly topics: Topics;
  readonly groups: Groups;
  readonly removal: Removal;
  readonly rewinds: Rewind;
  readonly paused: PausedGroups;
  readonly messages: Messages;
  readonly recurring: RecurringSends;
  readonly scheduled: Scheduled;
  readonly parkedLanes: ParkedLanes;
  readonly deadLetters: DeadLetters;
  readonly redrives: Redrive;
  readonly halves: Halves;
}

/** Made over the stores of a `Rivulet`, before it is open. */
export function makeAdminParts({
  stores,
  settings,
  storeTime,
  clock,
  recurring,
}: Rivulet): AdminParts {
  const { codec, codecs: others, topics: defaults, deadAfterMs } = settings;
  const codecs = new Codecs({ ...(codec && { preferred: codec }), others });
  const topics = new Topics({ stores, defaults });
  const groups = new Groups({ stores, topics, deadAfterMs });
  const paused = new PausedGroups({ paused: stores.paused, groups, storeTime });
  const deadLetters = new DeadLetters({ stores, groups, codecs });
  const halves = new Halves({ stores, topics, storeTime, codecs });
  return {
    topics,
    groups,
    paused,
    deadLetters,
    halves,
    recurring,
    removal: new Removal({ registry: stores.topics, topics, groups, halves, paused }),
    rewinds: new Rewind({ stores, groups, storeTime }),
    messages: new Messages({ stores, topics, deadLetters, codecs }),
    scheduled: new Scheduled({ stores, topics, storeTime, codecs }),
    parkedLanes: new ParkedLanes({ stores, groups, codecs, clock }),
    redrives: new Redrive({ store: stores.deadLetters, deadLetters, groups, clock }),
  };
}
